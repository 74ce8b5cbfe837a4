/** A band as `/v2/data-sources` answers it: existing clients read these names. */
export interface Band {
  readonly band_name: string
  readonly alt_names?: readonly string[]
  /** With its unit: `10m` */
  readonly resolution: string
  readonly description: string
  readonly RGB_band?: 'R' | 'G' | 'B'
  readonly scale_factor?: number
}
interface Mask {
  readonly band: string
  readonly encoding: string
}
/** A collection as `/v2/data-sources` answers it; null where it says nothing. */
export interface DataSource {
  readonly connector: string
  readonly collection_name: string
  readonly bands: readonly Band[]
  readonly data_collection: string | null
  readonly resolution_m: number | null
  readonly rgb_bands: readonly string[] | null
  readonly modality_tag: string
  readonly cloud_masking: Mask | null
  readonly permanent_water_masking: Mask | null
  readonly query_template: string | null
  readonly search: { readonly fields: string; readonly filter: string } | null
  readonly request_input_data: Readonly<Record<string, unknown>> | null
  readonly max_query_bbox_dimension: number | null
  readonly id: string
}

/**
 * What the pixels of a collection hold, so how they become values:
 * - `sentinel2_c1`: raw, baseline 05 and later, offset in the pixels (Earth Search, Collection 1)
 * - `sentinel2_shifted`: already shifted by Earth Search, whatever the item's flag and offset say
 * - `sentinel2_raw`: as ESA distributes it: shifted by 1000 from baseline 04.00
 * - `metadata`: the item's own `raster:` scale and offset
 * - `harmonised`: the service gives the old range itself
 * - `as_is`: the file's values
 */
export type Radiometry =
  'sentinel2_c1' | 'sentinel2_shifted' | 'sentinel2_raw' | 'metadata' | 'harmonised' | 'as_is'

/** Who must be known before pixels can be read. */
export type Account = 'none' | 'earthdata' | 'sentinelhub' | 'cdse' | 'planetary_computer' | 'token'

/** How one band is found and read. */
export interface BandSource {
  /** Asset keys, first that the item has */
  readonly assets: readonly string[]
  readonly class_band: boolean
  /** DN of no data; null: the file says it */
  readonly nodata: number | null
  /** metres */
  readonly gsd: number | null
}

export interface SearchTarget {
  readonly kind: 'stac' | 'sentinelhub'
  /** Root of the STAC API, without a slash at its end */
  readonly url: string
  readonly collection: string
  /** Searched without a datetime: one date for all (elevation) */
  readonly timeless: boolean
  /** eo:cloud_cover means something here */
  readonly cloud: boolean
  /** Property that holds the MGRS tile, and what stands before it */
  readonly tile: { readonly property: string; readonly prefix: string } | null
  /** Pattern of id, constellation and platform: items of another row in the same collection */
  readonly exclude: string | null
  /** Where a token is asked for with a client's id and secret */
  readonly token_url: string | null
}

/** One collection of one connector: what it is, how it is searched, how its pixels are read. */
export interface CatalogueRow {
  readonly source: DataSource
  /** null: known to clients, but nothing here can search it */
  readonly search: SearchTarget | null
  /** By `band_name` of the source; a band that is not here is looked up in the item itself */
  readonly bands: Readonly<Record<string, BandSource>>
  readonly radiometry: Radiometry
  /** Hosts that hrefs may name, each with every name under it; empty: any public one */
  readonly hosts: readonly string[]
  /** s3 buckets that hrefs may name; a public one has its https address */
  readonly buckets: Readonly<Record<string, { readonly https: string | null }>>
  /** GDAL driver that may open the bytes, and no other */
  readonly driver: 'GTiff' | 'JP2OpenJPEG'
  readonly account: Account
  /** The hosts above may be private: an operator's own network */
  readonly private_hosts: boolean
  /** In `/v2/data-sources` without being asked for by connector */
  readonly listed: boolean
}

type More = {
  readonly alt?: string
  readonly rgb?: 'R' | 'G' | 'B'
  readonly scale?: number
  /** Asset keys where they are not the band's name */
  readonly assets?: readonly string[]
  readonly classes?: boolean
  readonly nodata?: number | null
}
export type BandDefinition = readonly [
  name: string,
  gsd: number | null,
  description: string,
  more?: More,
]

const resolutionOf = (gsd: number | null): string =>
  gsd === null ? '' : gsd >= 1000 ? `${gsd / 1000}km` : `${gsd}m`

const wireBand = ([band_name, gsd, description, more = {}]: BandDefinition): Band => ({
  band_name,
  ...(more.alt ? { alt_names: [more.alt] } : {}),
  resolution: resolutionOf(gsd),
  description,
  ...(more.rgb ? { RGB_band: more.rgb } : {}),
  ...(more.scale ? { scale_factor: more.scale } : {}),
})

export const sentinel2Scl: Mask = { band: 'SCL', encoding: 'sentinel2_scl' }
export const sentinel2Lulc: Mask = { band: 'SCL', encoding: 'sentinel2_lulc' }
export const hlsFmask = (band: string): Mask => ({ band, encoding: 'hls_fmask' })

const include = (...fields: string[]): string => JSON.stringify({ include: fields, exclude: [] })
export const searchedByCloud = {
  fields: include('id', 'properties.datetime', 'properties.eo:cloud_cover').replaceAll(',"', ', "'),
  filter: 'eo:cloud_cover < maxcc',
}

type Named = Pick<
  DataSource,
  'id' | 'connector' | 'collection_name' | 'resolution_m' | 'modality_tag'
>
export interface RowDefinition extends Named {
  readonly source?: Partial<DataSource>
  readonly bands: readonly BandDefinition[]
  /** DN of no data, of every band that does not say its own */
  readonly nodata?: number | null
  readonly search?: (Pick<SearchTarget, 'url' | 'collection'> & Partial<SearchTarget>) | undefined
  readonly row?: Partial<Omit<CatalogueRow, 'source' | 'search' | 'bands'>>
}

/** A row from what is particular of it. */
export const row = ({ source, bands, nodata = null, search, row, ...named }: RowDefinition) => {
  const built: CatalogueRow = {
    source: {
      connector: named.connector,
      collection_name: named.collection_name,
      bands: bands.map(wireBand),
      data_collection: null,
      resolution_m: named.resolution_m,
      rgb_bands: null,
      modality_tag: named.modality_tag,
      cloud_masking: null,
      permanent_water_masking: null,
      query_template: null,
      search: null,
      request_input_data: null,
      max_query_bbox_dimension: null,
      id: named.id,
      ...source,
    },
    search: search
      ? {
          kind: 'stac',
          timeless: false,
          cloud: true,
          tile: null,
          exclude: null,
          token_url: null,
          ...search,
        }
      : null,
    bands: Object.fromEntries(
      bands.map(([name, gsd, , more = {}]): [string, BandSource] => [
        name,
        {
          assets: more.assets ?? [name],
          class_band: more.classes ?? false,
          nodata: more.nodata === undefined ? nodata : more.nodata,
          gsd,
        },
      ]),
    ),
    radiometry: 'as_is',
    hosts: [],
    buckets: {},
    driver: 'GTiff',
    account: 'none',
    private_hosts: false,
    listed: true,
    ...row,
  }
  return built
}
