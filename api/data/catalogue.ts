/** A band of a collection, as connectors name it; `resolution` in metres. */
export interface Band {
  readonly band_name: string
  readonly alt_names?: readonly string[]
  readonly resolution: number | null
  readonly description: string
  readonly RGB_band?: 'R' | 'G' | 'B'
  readonly scale_factor?: number
}
interface Mask {
  readonly band: string
  readonly encoding: string
}
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
  readonly query_template: null
  readonly search: { readonly fields: readonly string[]; readonly filter: string | null } | null
  readonly request_input_data: null
  readonly max_query_bbox_dimension: number | null
  readonly id: string
}

type Row = readonly [
  name: string,
  resolution: number | null,
  description: string,
  rgb?: 'R' | 'G' | 'B' | undefined,
  alt?: string,
]
const bands = (rows: readonly Row[], scale_factor?: number): Band[] =>
  rows.map(([band_name, resolution, description, RGB_band, alt]) => ({
    band_name,
    ...(alt ? { alt_names: [alt] } : {}),
    resolution,
    description,
    ...(RGB_band ? { RGB_band } : {}),
    ...(scale_factor ? { scale_factor } : {}),
  }))

const S2: readonly Row[] = [
  ['B01', 60, 'Coastal aerosol, 443 nm'],
  ['B02', 10, 'Blue, 490 nm', 'B'],
  ['B03', 10, 'Green, 560 nm', 'G'],
  ['B04', 10, 'Red, 665 nm', 'R'],
  ['B05', 20, 'Red edge, 705 nm'],
  ['B06', 20, 'Red edge, 740 nm'],
  ['B07', 20, 'Red edge, 783 nm'],
  ['B08', 10, 'Near infrared, 842 nm'],
  ['B8A', 20, 'Narrow near infrared, 865 nm'],
  ['B09', 60, 'Water vapour, 945 nm'],
  ['B11', 20, 'Short-wave infrared, 1610 nm'],
  ['B12', 20, 'Short-wave infrared, 2190 nm'],
]
const SCL: Row = ['SCL', 20, 'Scene classification']
const CIRRUS: Row = ['B10', 60, 'Cirrus, 1375 nm']
const HLS: readonly Row[] = [
  ['CoastalAerosol', 30, 'Coastal aerosol'],
  ['Blue', 30, 'Blue', 'B'],
  ['Green', 30, 'Green', 'G'],
  ['Red', 30, 'Red', 'R'],
]
const HLS_IR = (nir: string): readonly Row[] => [
  [nir, 30, 'Narrow near infrared'],
  ['SWIR1', 30, 'Short-wave infrared 1'],
  ['SWIR2', 30, 'Short-wave infrared 2'],
  ['QA', 30, 'Fmask bits'],
]
const LPCLOUD = (nir: string, swir1: string, swir2: string): readonly Row[] => [
  ['B01', 30, 'Coastal aerosol'],
  ['B02', 30, 'Blue', 'B'],
  ['B03', 30, 'Green', 'G'],
  ['B04', 30, 'Red', 'R'],
  [nir, 30, 'Narrow near infrared'],
  [swir1, 30, 'Short-wave infrared 1'],
  [swir2, 30, 'Short-wave infrared 2'],
  ['Fmask', 30, 'Fmask bits'],
]
const EARTH_SEARCH: readonly Row[] = [
  ['coastal', 60, 'Coastal aerosol', undefined, 'B01'],
  ['blue', 10, 'Blue', 'B', 'B02'],
  ['green', 10, 'Green', 'G', 'B03'],
  ['red', 10, 'Red', 'R', 'B04'],
  ['rededge1', 20, 'Red edge 1', undefined, 'B05'],
  ['rededge2', 20, 'Red edge 2', undefined, 'B06'],
  ['rededge3', 20, 'Red edge 3', undefined, 'B07'],
  ['nir', 10, 'Near infrared', undefined, 'B08'],
  ['nir08', 20, 'Narrow near infrared', undefined, 'B8A'],
  ['nir09', 60, 'Water vapour', undefined, 'B09'],
  ['swir16', 20, 'Short-wave infrared 1', undefined, 'B11'],
  ['swir22', 20, 'Short-wave infrared 2', undefined, 'B12'],
  ['scl', 20, 'Scene classification', undefined, 'SCL'],
]

const scl: Mask = { band: 'SCL', encoding: 'sentinel2_scl' }
const lulc: Mask = { band: 'SCL', encoding: 'sentinel2_lulc' }
const fmask = (band: string): Mask => ({ band, encoding: 'hls_fmask' })
const CLOUD = {
  fields: ['id', 'properties.datetime', 'properties.eo:cloud_cover'],
  filter: 'eo:cloud_cover',
}

const source = (
  id: string,
  connector: string,
  collection_name: string,
  resolution_m: number | null,
  modality_tag: string,
  all: readonly Band[],
  more: Partial<DataSource> = {},
): DataSource => ({
  connector,
  collection_name,
  bands: all,
  data_collection: null,
  resolution_m,
  rgb_bands: null,
  modality_tag,
  cloud_masking: null,
  permanent_water_masking: null,
  query_template: null,
  search: null,
  request_input_data: null,
  max_query_bbox_dimension: null,
  id,
  ...more,
})

const RGB = ['B04', 'B03', 'B02']
const NAMES = ['Red', 'Green', 'Blue']
const hub = { max_query_bbox_dimension: 2500 }

/** The collections that models may name. @see contract.md 1.6 */
export const catalogue: readonly DataSource[] = [
  source(
    '6f3c5d60-3b39-4d0a-9d0e-0c1f5b8e1a01',
    'sentinelhub',
    's2_l1c',
    10,
    'S2L1C',
    bands([...S2.slice(0, 10), CIRRUS, ...S2.slice(10)]),
    {
      ...hub,
      data_collection: 'SENTINEL2_L1C',
      rgb_bands: RGB,
      permanent_water_masking: lulc,
      search: CLOUD,
    },
  ),
  source(
    '6f3c5d60-3b39-4d0a-9d0e-0c1f5b8e1a02',
    'sentinelhub',
    's2_l2a',
    10,
    'S2L2A',
    bands([...S2, SCL]),
    {
      ...hub,
      data_collection: 'SENTINEL2_L2A',
      rgb_bands: RGB,
      cloud_masking: scl,
      permanent_water_masking: lulc,
      search: CLOUD,
    },
  ),
  source(
    '6f3c5d60-3b39-4d0a-9d0e-0c1f5b8e1a03',
    'sentinelhub',
    's1_grd',
    10,
    'S1GRD',
    bands([
      ['VV', 10, 'Backscatter, VV'],
      ['VH', 10, 'Backscatter, VH'],
    ]),
    { ...hub, data_collection: 'SENTINEL1_IW' },
  ),
  source(
    '6f3c5d60-3b39-4d0a-9d0e-0c1f5b8e1a04',
    'sentinelhub',
    'dem',
    null,
    'DEM',
    bands([['DEM', null, 'Elevation, m']]),
    { ...hub, data_collection: 'DEM' },
  ),
  source(
    '6f3c5d60-3b39-4d0a-9d0e-0c1f5b8e1a05',
    'sentinelhub',
    'hls_l30',
    30,
    'HLS_L30',
    bands([...HLS, ...HLS_IR('NIR_Narrow')]),
    {
      ...hub,
      data_collection: 'HARMONIZED_LANDSAT_SENTINEL',
      rgb_bands: NAMES,
      cloud_masking: fmask('QA'),
      permanent_water_masking: lulc,
      search: CLOUD,
    },
  ),
  source(
    '6f3c5d60-3b39-4d0a-9d0e-0c1f5b8e1a06',
    'sentinelhub',
    'hls_s30',
    30,
    'HLS_S30',
    bands([...HLS, ...HLS_IR('NIR_Narrow')]),
    {
      ...hub,
      data_collection: 'HARMONIZED_LANDSAT_SENTINEL',
      rgb_bands: NAMES,
      cloud_masking: fmask('QA'),
      permanent_water_masking: lulc,
      search: CLOUD,
    },
  ),
  source(
    '04f16b56-090f-4c04-91dc-a8d1e7d7f87d',
    'sentinel_aws',
    'sentinel-2-l2a',
    10,
    'S2L2A',
    bands(EARTH_SEARCH),
    {
      rgb_bands: ['red', 'green', 'blue'],
      cloud_masking: scl,
      permanent_water_masking: lulc,
      search: CLOUD,
    },
  ),
  source(
    '6f3c5d60-3b39-4d0a-9d0e-0c1f5b8e1a08',
    'nasa_earthdata',
    'HLSS30_2.0',
    30,
    'HLS_S30',
    bands(LPCLOUD('B8A', 'B11', 'B12'), 0.0001),
    { rgb_bands: RGB, cloud_masking: fmask('Fmask'), search: CLOUD },
  ),
  source(
    '6f3c5d60-3b39-4d0a-9d0e-0c1f5b8e1a09',
    'nasa_earthdata',
    'HLSL30_2.0',
    30,
    'HLS_L30',
    bands(LPCLOUD('B05', 'B06', 'B07'), 0.0001),
    { rgb_bands: RGB, cloud_masking: fmask('Fmask'), search: CLOUD },
  ),
  source(
    '6f3c5d60-3b39-4d0a-9d0e-0c1f5b8e1a10',
    'TheWeatherCompany',
    'weathercompany-daily-forecast',
    10,
    'HLS_L30',
    bands([
      ['temperatureMax', null, 'Daily maximum, °C'],
      ['temperatureMin', null, 'Daily minimum, °C'],
      ['qpf', null, 'Precipitation, mm'],
    ]),
  ),
]

export const findSource = (connector: string, collection: string): DataSource | undefined =>
  catalogue.find((one) => one.connector === connector && one.collection_name === collection)
