import type { Connector, Found, Parts, Query } from './connector.ts'
import { ConnectorError } from './errors.ts'
import { bandName } from './freeze.ts'
import { inFrame, polygonOfBox, unwrapped } from './geometry.ts'
import type { Grid } from './item.ts'
import { accessToken } from './oauth.ts'
import type { CatalogueRow } from './row.ts'
import { searchWith } from './stac.ts'

/** Of one answer of the process API, a side. */
export const MOST_PIXELS = 2500
/** The elevation model has no scenes: one date for all. */
const DEM_DATE = '2021-04-22T00:00:00.000Z'

export interface ProcessOptions {
  /** As the model's spec names them; the answer has them in this order, then dataMask */
  readonly bands: readonly string[]
  readonly grid: Grid
  /** UTC, ISO 8601, both ends included; of one solar day */
  readonly interval: { readonly start: string; readonly end: string }
  /** SAR of one direction: scenes of two are never mixed */
  readonly orbit?: 'ascending' | 'descending'
}
/** One call of the process API; nothing of it is secret. */
export interface ProcessRequest {
  readonly url: string
  readonly body: Readonly<Record<string, unknown>>
}

interface Kind {
  readonly units: string | null
  readonly sampleType: 'UINT16' | 'INT16' | 'FLOAT32'
  readonly filter: Readonly<Record<string, unknown>>
  readonly processing?: Readonly<Record<string, unknown>>
}
const OPTICAL = { units: 'DN', filter: { mosaickingOrder: 'leastCC' } } as const
/** Old DN range from every baseline: 1000 is taken off where a product carries it. */
const HARMONISED = { harmonizeValues: true }
const KINDS: Readonly<Record<string, Kind>> = {
  s2_l1c: { ...OPTICAL, sampleType: 'UINT16', processing: HARMONISED },
  s2_l2a: { ...OPTICAL, sampleType: 'UINT16', processing: HARMONISED },
  s1_grd: {
    ...{ units: null, sampleType: 'FLOAT32' },
    filter: { mosaickingOrder: 'mostRecent', acquisitionMode: 'IW', resolution: 'HIGH' },
  },
  dem: { units: null, sampleType: 'FLOAT32', filter: { demInstance: 'COPERNICUS_30' } },
  hls_l30: {
    ...{ ...OPTICAL, sampleType: 'INT16' },
    filter: { ...OPTICAL.filter, constellation: 'LANDSAT' },
  },
  hls_s30: {
    ...{ ...OPTICAL, sampleType: 'INT16' },
    filter: { ...OPTICAL.filter, constellation: 'SENTINEL' },
  },
}

const scriptOf = (names: readonly string[], { units, sampleType }: Kind): string => {
  const all = [...names, 'dataMask']
  const input = JSON.stringify([{ bands: all, ...(units ? { units } : {}) }])
  const output = JSON.stringify({ bands: all.length, sampleType })
  const values = all.map((name) => `sample[${JSON.stringify(name)}]`).join(', ')
  return `//VERSION=3\nfunction setup() { return { input: ${input}, output: ${output} } }\nfunction evaluatePixel(sample) { return [${values}] }`
}

const boxOf = ({ transform: [x, dx, , y, , dy], width, height }: Grid): number[] => [
  x,
  y + dy * height,
  x + dx * width,
  y,
]

/**
 * The call of the process API whose answer is one GeoTIFF on exactly this grid: the bands in the
 * asked order, then dataMask (0: no data). DN of Sentinel-2 are harmonised, SAR is linear power.
 *
 * @throws ConnectorError `connector.unknown_band`, `connector.bad_query`
 * @see Sentinel Hub process API, evalscript version 3
 */
export const processRequest = (row: CatalogueRow, options: ProcessOptions): ProcessRequest => {
  const { grid, interval, orbit } = options
  const kind = KINDS[row.source.collection_name]
  if (row.search?.kind !== 'sentinelhub' || !kind)
    throw new ConnectorError(
      'connector.bad_query',
      `${row.source.connector}/${row.source.collection_name} is not made by a process API`,
    )
  if (Math.max(grid.width, grid.height) > MOST_PIXELS)
    throw new ConnectorError(
      'connector.bad_query',
      `${grid.width} x ${grid.height} pixels: the process API makes ${MOST_PIXELS} a side at most`,
    )
  const names = options.bands.map((name) => bandName(row, name))
  const timeRange = { from: interval.start, to: interval.end }
  const dataFilter = {
    ...(row.search.timeless ? {} : { timeRange }),
    ...kind.filter,
    ...(orbit ? { orbitDirection: orbit.toUpperCase() } : {}),
  }
  const processing = { upsampling: 'NEAREST', downsampling: 'NEAREST', ...kind.processing }
  const crs = `http://www.opengis.net/def/crs/EPSG/0/${grid.epsg}`
  const tiff = { identifier: 'default', format: { type: 'image/tiff' } }
  return {
    url: processUrl(row),
    body: {
      input: {
        bounds: { bbox: boxOf(grid), properties: { crs } },
        data: [{ type: row.search.collection, dataFilter, processing }],
      },
      output: { width: grid.width, height: grid.height, responses: [tiff] },
      evalscript: scriptOf(names, kind),
    },
  }
}

/** Beside the catalogue, on the same host. */
export const processUrl = (row: CatalogueRow): string =>
  new URL('/api/v1/process', row.search!.url).href

/** One item for the whole box: elevation has no scenes to search for. */
const timelessItem = ({ row }: Parts, query: Query): Found => {
  const [footprint] = inFrame([polygonOfBox(unwrapped(query.bbox))], query.bbox)
  const { connector, collection_name } = row.source
  const bands = query.bands.map((name, n) => [name, processedBand(row, name, n)] as const)
  const item = {
    ...{ id: collection_name, collection: `${connector}/${collection_name}`, datetime: DEM_DATE },
    ...{ cloud_cover: null, tile: null, baseline: null, platform: null, orbit: null },
    ...{ footprint, bands: Object.fromEntries(bands), warnings: [] },
  }
  return { items: [item], warnings: [] }
}

/** A band as the process API answers it: already harmonised, on the task's own grid. */
export const processedBand = (row: CatalogueRow, name: string, at: number) => {
  const source = row.bands[bandName(row, name)]!
  return {
    ...{ href: processUrl(row), file_band: at + 1, scale: 1, offset: 0, nodata: source.nodata },
    ...{ class_band: source.class_band, epsg: null, transform: null, shape: null },
    gsd: source.gsd,
  }
}

/** Sentinel Hub: its catalogue is a STAC API behind a token; its pixels are made, not read. */
export const sentinelHubConnector = (parts: Parts): Connector => {
  const search = searchWith(
    parts,
    async (signal) => ({
      Authorization: `Bearer ${await accessToken(parts.target.token_url!, parts.credentials.sentinelhub!, parts.send, signal)}`,
    }),
    async () => ({}),
    processedBand,
  )
  return {
    search: async (query) => (parts.target.timeless ? timelessItem(parts, query) : search(query)),
  }
}
