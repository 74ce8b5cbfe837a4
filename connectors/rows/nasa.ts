import { type BandDefinition, type CatalogueRow, hlsFmask, row } from '../row.ts'

const url = 'https://cmr.earthdata.nasa.gov/stac/LPCLOUD'
const hosts = ['data.lpdaac.earthdatacloud.nasa.gov']
const REFLECTANCE = 0.0001
/** Degrees Celsius */
const THERMAL = 0.01

const hls = (name: string, description: string, rgb?: 'R' | 'G' | 'B'): BandDefinition => [
  name,
  30,
  description,
  { scale: REFLECTANCE, ...(rgb ? { rgb } : {}) },
]
const visible = [
  hls('B01', 'Coastal aerosol, 0.43–0.45 um'),
  hls('B02', 'Blue, 0.45–0.51 um', 'B'),
  hls('B03', 'Green, 0.53–0.59 um', 'G'),
  hls('B04', 'Red, 0.64–0.67 um', 'R'),
]
/** Bits: 1 cloud, 2 adjacent to cloud, 3 shadow, 4 snow and ice, 5 water; 255 is fill. */
const fmask: BandDefinition = ['Fmask', 30, 'Fmask data layer', { classes: true, nodata: 255 }]

const collection = (
  id: string,
  collection_name: string,
  modality_tag: string,
  bands: readonly BandDefinition[],
): CatalogueRow =>
  row({
    ...{ id, connector: 'nasa_earthdata', collection_name, resolution_m: 30, modality_tag },
    source: { rgb_bands: ['B04', 'B03', 'B02'], cloud_masking: hlsFmask('Fmask') },
    bands: [...bands, fmask],
    nodata: -9999,
    search: { url, collection: collection_name },
    row: { account: 'earthdata', hosts: [...hosts, 'cloudfront.net'] },
  })

/** Harmonized Landsat Sentinel-2 by CMR-STAC: values are DN, int16, -9999 is fill. */
export const nasaEarthdata: readonly CatalogueRow[] = [
  collection('02964b17-7f4a-44a1-be98-0649391d5b73', 'HLSS30_2.0', 'HLS_S30', [
    ...visible,
    hls('B05', 'Red edge, 0.69–0.71 um'),
    hls('B06', 'Red edge 2, 0.73–0.75 um'),
    hls('B07', 'Red edge 3, 0.77–0.79 um'),
    hls('B08', 'NIR broad, 0.78–0.88 um'),
    hls('B8A', 'NIR narrow, 0.85–0.88 um'),
    hls('B09', 'Water vapour, 0.93–0.95 um'),
    hls('B10', 'Cirrus, 1.36–1.38 um'),
    hls('B11', 'SWIR 1, 1.57–1.65 um'),
    hls('B12', 'SWIR 2, 2.11–2.29 um'),
  ]),
  collection('b2b5db61-d69c-4bb0-ad95-0025aa8d113f', 'HLSL30_2.0', 'HLS_L30', [
    ...visible,
    hls('B05', 'NIR narrow, 0.85–0.88 um'),
    hls('B06', 'SWIR 1, 1.57–1.65 um'),
    hls('B07', 'SWIR 2, 2.11–2.29 um'),
    hls('B09', 'Cirrus, 1.36–1.38 um'),
    ['B10', 30, 'Thermal infrared 1, 10.60–11.19 um', { scale: THERMAL }],
    ['B11', 30, 'Thermal infrared 2, 11.50–12.51 um', { scale: THERMAL }],
  ]),
]
