import { z } from 'zod'
import { ROWS } from '../../connectors/catalogue.ts'
import { parseBuckets } from '../../connectors/buckets.ts'
import type { Credentials } from '../../connectors/credentials.ts'
import { parseCatalogues, rowsWith } from '../../connectors/operator.ts'
import type { CatalogueRow } from '../../connectors/row.ts'

const parsed = <T>(parse: (text: string) => T) =>
  z.string().transform((text, context): T => {
    try {
      return parse(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message })
      return z.NEVER
    }
  })

const tokens = (text: string): Record<string, string> => {
  const read = z
    .record(z.string(), z.string().min(1))
    // Not the parser's own words: they repeat the text, which is secret.
    .safeParse(jsonOf(text))
  if (read.success) return read.data
  throw new Error('must be a JSON object of connector to token')
}
const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Accounts of catalogues, and the operator's own catalogues: settings of api/config.ts. */
export const catalogueSettings = {
  SH_CLIENT_ID: z.string().optional(),
  SH_CLIENT_SECRET: z.string().optional(),
  NASA_EARTH_BEARER_TOKEN: z.string().optional(),
  CDSE_S3_ACCESS_KEY_ID: z.string().optional(),
  CDSE_S3_SECRET_ACCESS_KEY: z.string().optional(),
  PLANETARY_COMPUTER_KEY: z.string().optional(),
  STAC_CATALOGUES: parsed(parseCatalogues).optional(),
  STAC_TOKENS: parsed(tokens).optional(),
  /** JSON: buckets whose scenes users may name as `s3://bucket/key` */
  S3_SOURCES: parsed(parseBuckets).optional(),
}
const settings = z.object(catalogueSettings)
export type CatalogueSettings = z.output<typeof settings>

/** The collections and the accounts of this installation. */
export interface Catalogue {
  readonly rows: readonly CatalogueRow[]
  readonly credentials: Credentials
}

const both = (env: CatalogueSettings, first: Pair, second: Pair) => {
  if (env[first] && env[second]) return [env[first], env[second]] as const
  if (env[first] || env[second]) throw new Error(`${first} and ${second}: set both or neither`)
  return undefined
}
type Pair =
  'SH_CLIENT_ID' | 'SH_CLIENT_SECRET' | 'CDSE_S3_ACCESS_KEY_ID' | 'CDSE_S3_SECRET_ACCESS_KEY'

/** @throws Error that names the variables where half an account is set */
export const openCatalogue = (env: CatalogueSettings): Catalogue => {
  const hub = both(env, 'SH_CLIENT_ID', 'SH_CLIENT_SECRET')
  const cdse = both(env, 'CDSE_S3_ACCESS_KEY_ID', 'CDSE_S3_SECRET_ACCESS_KEY')
  const { NASA_EARTH_BEARER_TOKEN, PLANETARY_COMPUTER_KEY, STAC_CATALOGUES, STAC_TOKENS } = env
  return {
    rows: STAC_CATALOGUES ? rowsWith(STAC_CATALOGUES) : ROWS,
    credentials: {
      ...(hub ? { sentinelhub: { id: hub[0], secret: hub[1] } } : {}),
      ...(cdse ? { cdse: { accessKeyId: cdse[0], secretAccessKey: cdse[1] } } : {}),
      ...(NASA_EARTH_BEARER_TOKEN ? { earthdata: NASA_EARTH_BEARER_TOKEN } : {}),
      ...(PLANETARY_COMPUTER_KEY ? { planetary_computer: PLANETARY_COMPUTER_KEY } : {}),
      ...(STAC_TOKENS ? { tokens: STAC_TOKENS } : {}),
      ...(env.S3_SOURCES ? { buckets: env.S3_SOURCES } : {}),
    },
  }
}
