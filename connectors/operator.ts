import { createHash } from 'node:crypto'
import { z } from 'zod'
import { ROWS } from './catalogue.ts'
import { type BandDefinition, type CatalogueRow, row } from './row.ts'

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/, 'letters, digits, - _ and .')
const host = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$|^[0-9a-f:]+$/, 'a host name in small letters, no port')

const band = z.strictObject({
  band_name: z.string().min(1).max(100),
  alt_name: z.string().optional(),
  /** Asset keys, or names of bands inside an asset */
  assets: z.array(z.string()).optional(),
  resolution_m: z.number().positive().nullish(),
  description: z.string().default(''),
  RGB_band: z.enum(['R', 'G', 'B']).optional(),
  scale_factor: z.number().optional(),
  class_band: z.boolean().default(false),
  nodata: z.number().nullish(),
})

const collection = z.strictObject({
  collection_name: name,
  /** Its id in the API, where that is not its name here */
  stac_collection: z.string().optional(),
  modality_tag: z.string().regex(/^[A-Za-z0-9_-]{1,40}$/, 'letters, digits, - and _'),
  resolution_m: z.number().positive(),
  /** Left out: any asset of the items may be named */
  bands: z.array(band).default([]),
  nodata: z.number().nullish(),
  radiometry: z
    .enum(['as_is', 'metadata', 'sentinel2_raw', 'sentinel2_c1', 'sentinel2_shifted'])
    .default('as_is'),
  cloud_masking: z
    .strictObject({ band: z.string(), encoding: z.enum(['sentinel2_scl', 'hls_fmask']) })
    .nullish(),
  /** Items have eo:cloud_cover */
  cloud: z.boolean().default(true),
  /** One date for all, such as an elevation model: searched without a time */
  timeless: z.boolean().default(false),
})

const definition = z.strictObject({
  connector: name,
  url: z.url({ protocol: /^https?$/ }),
  /** Hosts that hrefs may name, each with every name under it; left out: any public one */
  hosts: z.array(host).default([]),
  /** The hosts are in a network of the operator's own */
  private_hosts: z.boolean().default(false),
  /** The API and the hosts want the bearer token of this connector */
  token: z.boolean().default(false),
  driver: z.enum(['GTiff', 'JP2OpenJPEG']).default('GTiff'),
  /** Of another Sentinel Hub, such as that of the Copernicus Data Space: where its tokens are made */
  token_url: z.url({ protocol: /^https$/ }).optional(),
  /** Left out: another place for the collections of a connector that is known */
  collections: z.array(collection).optional(),
})

const definitions = z.array(definition).superRefine((all, context) => {
  const known = new Set(ROWS.map(({ source }) => source.connector))
  const seen = new Set<string>()
  for (const [at, { connector, collections, private_hosts, hosts, url }] of all.entries()) {
    const refuse = (field: string, message: string) =>
      context.addIssue({ code: 'custom', path: [at, field], message })
    if (seen.has(connector)) refuse('connector', `${connector} stands twice`)
    seen.add(connector)
    if (!collections && !known.has(connector))
      refuse('collections', `${connector} is new: name its collections`)
    if (collections && known.has(connector))
      refuse('connector', `${connector} is built in: give the collections another connector name`)
    if (private_hosts && hosts.length === 0)
      refuse('hosts', 'private hosts are listed by name: any would reach the whole network')
    if (url.startsWith('http:') && !private_hosts)
      refuse('url', 'must be https, but for a catalogue with private_hosts')
  }
})
export type CatalogueDefinition = z.output<typeof definition>

/** A UUID that the same pair always gets: clients find a source by it. */
const idOf = (...parts: string[]): string => {
  const hex = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

const bandOf = (one: z.output<typeof band>, resolution: number): BandDefinition => [
  one.band_name,
  one.resolution_m ?? resolution,
  one.description,
  {
    ...(one.alt_name ? { alt: one.alt_name } : {}),
    ...(one.assets ? { assets: one.assets } : {}),
    ...(one.RGB_band ? { rgb: one.RGB_band } : {}),
    ...(one.scale_factor ? { scale: one.scale_factor } : {}),
    ...(one.class_band ? { classes: true } : {}),
    ...(one.nodata === undefined ? {} : { nodata: one.nodata }),
  },
]

const ownRow = (
  { connector, url, hosts, private_hosts, token, driver }: CatalogueDefinition,
  given: z.output<typeof collection>,
): CatalogueRow => {
  const { collection_name, modality_tag, resolution_m, bands, cloud, timeless } = given
  const rgb = (['R', 'G', 'B'] as const).map(
    (color) => bands.find(({ RGB_band }) => RGB_band === color)?.band_name,
  )
  return row({
    ...{ id: idOf(connector, collection_name), connector, collection_name },
    ...{ modality_tag, resolution_m },
    source: {
      rgb_bands: rgb.every((one) => one !== undefined) ? (rgb as string[]) : null,
      cloud_masking: given.cloud_masking ?? null,
    },
    bands: bands.map((one) => bandOf(one, resolution_m)),
    nodata: given.nodata ?? null,
    search: {
      ...{ url: url.replace(/\/+$/, ''), cloud, timeless },
      collection: given.stac_collection ?? collection_name,
      tile: { property: 'grid:code', prefix: 'MGRS-' },
    },
    row: {
      ...{ radiometry: given.radiometry, hosts, driver, private_hosts },
      account: token ? 'token' : 'none',
    },
  })
}

/**
 * A known connector at another place. Whoever mirrors a catalogue asks for no account of its own;
 * another Sentinel Hub does.
 */
const moved = (known: CatalogueRow, given: CatalogueDefinition): CatalogueRow => {
  if (!known.search) return known
  const url = given.url.replace(/\/+$/, '')
  const { private_hosts, token_url } = given
  if (known.search.kind === 'sentinelhub') {
    const search = { ...known.search, url, ...(token_url ? { token_url } : {}) }
    return { ...known, search, hosts: [new URL(url).hostname], private_hosts }
  }
  return {
    ...known,
    search: { ...known.search, url },
    ...{ hosts: given.hosts, private_hosts, buckets: {} },
    account: given.token ? 'token' : 'none',
  }
}

/** The built-in rows, with what an operator adds or moves. */
export const rowsWith = (given: readonly CatalogueDefinition[]): CatalogueRow[] => [
  ...ROWS.map((known) => {
    const mirror = given.find(
      ({ connector, collections }) => connector === known.source.connector && !collections,
    )
    return mirror ? moved(known, mirror) : known
  }),
  ...given.flatMap((one) => (one.collections ?? []).map((own) => ownRow(one, own))),
]

/**
 * An operator's catalogues, JSON: a list of definitions.
 *
 * @throws Error that names each wrong field
 */
export const parseCatalogues = (text: string): CatalogueDefinition[] => {
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (error) {
    throw new Error(`must be a JSON list of catalogues: ${(error as Error).message}`)
  }
  const parsed = definitions.safeParse(document)
  if (parsed.success) return parsed.data
  throw new Error(
    parsed.error.issues
      .map(({ path, message }) => `${path.join('.') || 'document'}: ${message}`)
      .join('; '),
  )
}
