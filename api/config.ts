import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { type Catalogue, catalogueSettings, openCatalogue } from './data/catalogue.ts'
import { modelServers } from './models/servers.ts'
import { keptText } from './storage/kept.ts'

const flag = (fallback: boolean) =>
  z
    .enum(['true', 'false', 'True', 'False', '1', '0'])
    .optional()
    .transform((value) => (value === undefined ? fallback : ['true', 'True', '1'].includes(value)))
const count = (fallback: number) => z.coerce.number().int().positive().default(fallback)
const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean),
  )

/** The text of a PEM file. */
const pemOf = (path: string, context: z.RefinementCtx): string => {
  try {
    const text = readFileSync(path, 'utf8')
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text
    context.addIssue({ code: 'custom', message: `${path} holds no PEM certificate` })
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
  }
  return z.NEVER
}

/** Every setting of the API and the runner, by its environment variable. */
const environment = z.object({
  PORT: z.coerce.number().int().min(0).max(65535).default(4280),
  HOST: z.string().default('127.0.0.1'),
  PUBLIC_URL: z.url().optional(),
  DATABASE_URL: z.string().optional(),
  DATA_FOLDER: z.string().default('.geodag'),
  SIGNING_KEY: z.string().min(32).optional(),
  S3_ENDPOINT: z.url().optional(),
  S3_REGION: z.string().default('us-east-1'),
  S3_BUCKET: z.string().optional(),
  S3_ACCESS_KEY_ID: z.string().optional(),
  S3_SECRET_ACCESS_KEY: z.string().optional(),
  AUTH_ENABLED: flag(true),
  DEFAULT_SYSTEM_USER: z.string().default('system@geodag.local'),
  JWKS_URL: z.url().optional(),
  JWT_ISSUER: z.string().optional(),
  JWT_AUDIENCE: z.string().optional(),
  TRUSTED_PROXIES: list,
  INTERNAL_TOKEN: z.string().min(16).optional(),
  RATELIMIT_ENABLED: flag(true),
  RATELIMIT_LIMIT: count(200),
  RATELIMIT_WINDOW: count(60),
  /** Requests of one address without a valid key, in a window */
  LOGIN_FAILURES: count(50),
  /** Origins whose pages may call the API from a browser; `*` is every one */
  CORS_ORIGINS: list,
  /** Of one user: inferences and tasks that have not ended, outputs and scripts, uploads */
  QUOTA_INFERENCES: count(1000),
  QUOTA_TASKS: count(20_000),
  /** Of one user: models, processors, tunes and groups, of each */
  QUOTA_RECORDS: count(1000),
  QUOTA_STORED_GIB: z.coerce.number().positive().default(200),
  QUOTA_UPLOADS: count(1000),
  QUOTA_UPLOAD_GIB: z.coerce.number().positive().default(50),
  /** Days after which an upload is removed; its URLs end after 8 hours */
  UPLOAD_DAYS: count(2),
  /** Days after which events, logs of ended tasks, and deleted rows with their objects are removed */
  RETENTION_DAYS: count(30),
  /** Scenes that one inference may name by URL */
  MAX_SCENES: count(10_000).pipe(z.number().max(50_000)),
  /** Tasks of one inference: scenes by URL, or tiles and days of its places */
  MAX_TASKS: count(10_000),
  MAX_INFERENCE_AREA_SQ_KM: z.coerce.number().positive().optional(),
  GEOSERVER_URL: z.url().optional(),
  GEOSERVER_USERNAME: z.string().default('admin'),
  GEOSERVER_PASSWORD: z.string().optional(),
  /** Tiles below the page's map, `https://host/{z}/{x}/{y}.png`; without it a coastline is drawn */
  BASEMAP_URL: z
    .string()
    .regex(/^https?:\/\/[^\s;,'"]+$/, 'a URL such as https://tiles.example.org/{z}/{x}/{y}.png')
    .refine((url) => ['{z}', '{x}', '{y}'].every((part) => url.includes(part)), {
      message: 'name {z}, {x} and {y} in it',
    })
    .optional(),
  BASEMAP_ATTRIBUTION: z.string().max(500).default(''),
  /** File with the certificate of the authority that signed GeoServer's; its text once read */
  GEOSERVER_CA: z.string().transform(pemOf).optional(),
  ALLOW_PRIVATE_HOSTS: flag(false),
  LAND_POLYGONS: z.url({ protocol: /^https?$/ }).optional(),
  PERMANENT_WATER: z.url({ protocol: /^https?$/ }).optional(),
  PERMANENT_WATER_VALUES: list.pipe(
    z.array(z.string().regex(/^\d+$/, 'a whole number').transform(Number)),
  ),
  GPU: flag(false),
  /** JSON: origins of your own model servers, which may be private, each with its token or '' */
  MODEL_SERVERS: modelServers,
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
  /** Without it: readable at a terminal, else JSON lines */
  LOG_FORMAT: z.enum(['json', 'pretty']).optional(),
  /** A collector of OpenTelemetry; the exporter reads the other OTEL_EXPORTER_OTLP_* itself */
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  OTEL_SERVICE_NAME: z.string().default('geodag'),
  RUNNER_CONCURRENCY: count(2),
  /** Where a runner answers /metrics, /healthz and /readyz; 0: a free port */
  METRICS_PORT: z.coerce.number().int().min(0).max(65535).optional(),
  _EXPERIMENTAL_DAGGER_RUNNER_HOST: z.string().optional(),
  /** Name of the runner's engine, the same for all its runners; by default from its address */
  ENGINE_ID: z.string().max(200).optional(),
  /** Seconds that a task waits for the engine that may have its model and scene cached */
  AFFINITY_SECONDS: z.coerce.number().min(0).default(3),
  LEASE_SECONDS: count(15),
  STEP_TIMEOUT_SECONDS: count(3600),
  ENGINE_TIMEOUT_SECONDS: count(60),
  MAX_ATTEMPTS: count(3),
  MAX_DEATHS: count(12),
  RETRY_SECONDS: z.coerce.number().positive().default(5),
  ...catalogueSettings,
})
export type Config = z.output<typeof environment> & {
  readonly signingKey: string
  readonly dataFolder: string
  /** `ENGINE_ID`, or what the engine's address says */
  readonly engineId: string
  readonly catalogue: Catalogue
}

/** Made once and kept beside the data, so that URLs and cookies outlive a restart; never a default. */
const keptKey = (folder: string): string =>
  keptText(join(folder, 'signing.key'), randomBytes(32).toString('hex'))

/** An address on a network is the same engine for all; a socket, or none, is this machine's own. */
const engineIdOf = (address = ''): string =>
  (/^(tcp|tls|kube-pod|ssh):/.test(address) ? address : `${hostname()}:${address}`).slice(0, 200)

/** Reads the environment. @throws Error that names each wrong variable */
export const readConfig = (env: Record<string, string | undefined> = process.env): Config => {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const parsed = environment.safeParse(given)
  if (!parsed.success)
    throw new Error(parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('\n'))
  const dataFolder = resolve(parsed.data.DATA_FOLDER)
  const signingKey = parsed.data.SIGNING_KEY ?? keptKey(dataFolder)
  const engineId = parsed.data.ENGINE_ID ?? engineIdOf(parsed.data._EXPERIMENTAL_DAGGER_RUNNER_HOST)
  const catalogue = openCatalogue(parsed.data)
  return { ...parsed.data, signingKey, dataFolder, engineId, catalogue }
}
