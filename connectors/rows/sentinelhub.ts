import {
  type BandDefinition,
  type CatalogueRow,
  type DataSource,
  hlsFmask,
  row,
  searchedByCloud,
  sentinel2Lulc,
  sentinel2Scl,
} from '../row.ts'
import { L2A, MSI } from './sentinel-2.ts'

const MAIN = 'services.sentinel-hub.com'
/** Landsat and HLS are held in the western United States. */
const US_WEST = 'services-uswest2.sentinel-hub.com'
const catalogueOf = (host: string): string => `https://${host}/api/v1/catalog/1.0.0`

const hlsBands = (...more: readonly BandDefinition[]): readonly BandDefinition[] => [
  ['CoastalAerosol', 30, 'Coastal aerosol, 442.7 nm (S2A), 442.3 nm (S2B)'],
  ['Blue', 30, 'Blue, 492.4 nm (S2A), 492.1 nm (S2B)', { rgb: 'B' }],
  ['Green', 30, 'Green, 559.8 nm (S2A), 559.0 nm (S2B)', { rgb: 'G' }],
  ['Red', 30, 'Red, 664.6 nm (S2A), 665.0 nm (S2B)', { rgb: 'R' }],
  ...more,
  ['QA', 30, 'Quality assessment, for cloud masking', { classes: true, nodata: 255 }],
]
const narrow: BandDefinition = ['NIR_Narrow', 30, 'Narrow NIR, 864.7 nm (S2A), 864.0 nm (S2B)']
const cirrus: BandDefinition = ['Cirrus', 30, 'SWIR, cirrus, 1373.5 nm (S2A), 1376.9 nm (S2B)']
const swir: readonly BandDefinition[] = [
  ['SWIR1', 30, 'SWIR, 1613.7 nm (S2A), 1610.4 nm (S2B)'],
  ['SWIR2', 30, 'SWIR, 2202.4 nm (S2A), 2185.7 nm (S2B)'],
]

/** A script for the process API: `${...}` is filled in by clients that run it themselves. */
const script = (units: string, sampleType: string): string =>
  `//VERSION=3\nfunction setup() { return { input: [{ bands: \${bands}, units: "${units}" }], output: { bands: \${num_bands}, sampleType: "${sampleType}" } } }\nfunction evaluatePixel(sample) { return \${band_samples} }`

interface Definition {
  readonly id: string
  readonly name: string
  readonly tag: string
  readonly resolution: number | null
  readonly bands: readonly BandDefinition[]
  readonly data_collection: string
  /** Of Sentinel Hub's catalogue */
  readonly collection: string
  readonly source?: Partial<DataSource>
  readonly host?: string
  readonly cloud?: boolean
  readonly timeless?: boolean
  readonly exclude?: string
  readonly query_template: string
  readonly nodata?: number
}
const hub = ({ id, name, tag, resolution, bands, data_collection, ...more }: Definition) => {
  const host = more.host ?? MAIN
  return row({
    ...{ id, connector: 'sentinelhub', collection_name: name, resolution_m: resolution },
    modality_tag: tag,
    source: {
      data_collection: `DataCollection.${data_collection}`,
      query_template: more.query_template,
      max_query_bbox_dimension: 244,
      ...more.source,
    },
    bands,
    nodata: more.nodata ?? null,
    search: {
      kind: 'sentinelhub',
      url: catalogueOf(host),
      collection: more.collection,
      timeless: more.timeless ?? false,
      cloud: more.cloud ?? true,
      exclude: more.exclude ?? null,
      token_url: `https://${MAIN}/auth/realms/main/protocol/openid-connect/token`,
    },
    row: {
      ...{ hosts: [host], account: 'sentinelhub' },
      radiometry: more.collection.startsWith('sentinel-2') ? 'harmonised' : 'as_is',
    },
  })
}
const optical = (maxcc: number) => ({
  search: searchedByCloud,
  permanent_water_masking: sentinel2Lulc,
  request_input_data: { maxcc, mosaicking_order: 'MosaickingOrder.LEAST_CC' },
})
const DN = script('DN', 'INT16')
const NAMES = ['Red', 'Green', 'Blue']
const hls = { data_collection: 'HARMONIZED_LANDSAT_SENTINEL', collection: 'hls', host: US_WEST }

/** Sentinel Hub: its catalogue is searched, its process API makes the pixels. */
export const sentinelHub: readonly CatalogueRow[] = [
  hub({
    ...{ id: 'dd92c54d-6e18-4943-8f41-a37bee4d308b', name: 's2_l1c', tag: 'S2L1C' },
    ...{ resolution: 10, bands: MSI, nodata: 0, query_template: DN },
    ...{ data_collection: 'SENTINEL2_L1C', collection: 'sentinel-2-l1c' },
    source: { ...optical(40), rgb_bands: ['B04', 'B03', 'B02'] },
  }),
  hub({
    ...{ id: '321a366e-5e06-41c3-9c23-9073eec706dd', name: 's2_l2a', tag: 'S2L2A' },
    ...{ resolution: 10, nodata: 0, query_template: DN },
    bands: [
      ...L2A,
      ['SNW', 20, 'Snow probability of the Sen2Cor processor', { nodata: null }],
      ['CLD', 20, 'Cloud probability of the Sen2Cor processor', { nodata: null }],
    ],
    ...{ data_collection: 'SENTINEL2_L2A', collection: 'sentinel-2-l2a' },
    source: { ...optical(80), rgb_bands: ['B04', 'B03', 'B02'], cloud_masking: sentinel2Scl },
  }),
  hub({
    ...{ id: '9d7348ca-e61e-4ea8-9246-a88fe834b522', name: 's1_grd', tag: 'S1GRD' },
    ...{ resolution: 10, cloud: false, query_template: script('LINEAR_POWER', 'FLOAT32') },
    bands: [
      ['VV', 10, 'Vertical transmit, vertical receive polarization'],
      ['VH', 10, 'Vertical transmit, horizontal receive polarization'],
      ['HV', 10, 'Horizontal transmit, vertical receive polarization'],
      ['HH', 10, 'Horizontal transmit, horizontal receive polarization'],
    ],
    ...{ data_collection: 'SENTINEL1_IW', collection: 'sentinel-1-grd' },
    source: { request_input_data: { mosaicking_order: 'MosaickingOrder.MOST_RECENT' } },
  }),
  hub({
    ...{ id: 'e5003cd5-c86f-4b76-bdb8-bf4844df2545', name: 'dem', tag: 'DEM' },
    ...{ resolution: null, cloud: false, timeless: true },
    query_template: script('METERS', 'FLOAT32'),
    bands: [['DEM', 30, 'Digital elevation model, m']],
    ...{ data_collection: 'DEM_COPERNICUS_30', collection: 'dem' },
  }),
  hub({
    ...{ id: '69c1eea8-f5ca-4a34-93e7-1a20179d611a', name: 'hls_l30', tag: 'HLS_L30' },
    ...{ resolution: 30, ...hls, exclude: '\\.S30\\.|sentinel', query_template: DN },
    bands: hlsBands(
      ...[narrow, ...swir, cirrus],
      ['ThermalInfrared1', 30, 'Thermal infrared, 10.9 um'],
      ['ThermalInfrared2', 30, 'Thermal infrared, 12.0 um'],
    ),
    source: { ...optical(80), rgb_bands: NAMES, cloud_masking: hlsFmask('QA') },
  }),
  hub({
    ...{ id: '307a2e4d-b192-4afe-8898-906712763180', name: 'hls_s30', tag: 'HLS_S30' },
    ...{ resolution: 30, ...hls, exclude: '\\.L30\\.|landsat', query_template: DN },
    bands: hlsBands(
      ['RedEdge1', 30, 'Vegetation red edge, 704.1 nm (S2A), 703.8 nm (S2B)'],
      ['RedEdge2', 30, 'Vegetation red edge, 740.5 nm (S2A), 739.1 nm (S2B)'],
      ['RedEdge3', 30, 'Vegetation red edge, 782.8 nm (S2A), 779.7 nm (S2B)'],
      ['NIR_Broad', 30, 'NIR, 832.8 nm (S2A), 833.0 nm (S2B)'],
      narrow,
      ['WaterVapor', 30, 'Water vapour, 945.1 nm (S2A), 943.2 nm (S2B)'],
      ...[cirrus, ...swir],
    ),
    source: { ...optical(80), rgb_bands: NAMES, cloud_masking: hlsFmask('QA') },
  }),
]
