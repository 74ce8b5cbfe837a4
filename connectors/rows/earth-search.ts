import { type CatalogueRow, row, searchedByCloud, sentinel2Lulc, sentinel2Scl } from '../row.ts'
import { L2A_COMMON } from './sentinel-2.ts'

const url = 'https://earth-search.aws.element84.com/v1'
const tile = { property: 'grid:code', prefix: 'MGRS-' }
const sentinel2 = {
  rgb_bands: ['red', 'green', 'blue'],
  cloud_masking: sentinel2Scl,
  permanent_water_masking: sentinel2Lulc,
  search: searchedByCloud,
}

/**
 * Earth Search of Element 84. Only collections whose files are public: those of buckets where the
 * requester pays (Landsat, Sentinel-1, Level-1C) are left out.
 */
export const earthSearch: readonly CatalogueRow[] = [
  row({
    ...{ id: '04f16b56-090f-4c04-91dc-a8d1e7d7f87d', connector: 'sentinel_aws' },
    ...{ collection_name: 'sentinel-2-l2a', resolution_m: 10, modality_tag: 'S2L2A' },
    source: sentinel2,
    bands: L2A_COMMON,
    nodata: 0,
    search: { url, collection: 'sentinel-2-l2a', tile },
    row: {
      radiometry: 'sentinel2_shifted',
      hosts: ['sentinel-cogs.s3.us-west-2.amazonaws.com'],
    },
  }),
  row({
    ...{ id: '0b6f9b0e-51c2-4f0c-9a44-6f6d1f6f0c01', connector: 'earth_search' },
    ...{ collection_name: 'sentinel-2-c1-l2a', resolution_m: 10, modality_tag: 'S2L2A' },
    source: sentinel2,
    bands: L2A_COMMON,
    nodata: 0,
    search: { url, collection: 'sentinel-2-c1-l2a', tile },
    row: {
      radiometry: 'sentinel2_c1',
      hosts: ['e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com'],
      listed: false,
    },
  }),
  row({
    ...{ id: '0b6f9b0e-51c2-4f0c-9a44-6f6d1f6f0c02', connector: 'earth_search' },
    ...{ collection_name: 'cop-dem-glo-30', resolution_m: 30, modality_tag: 'DEM' },
    bands: [['DEM', 30, 'Elevation, m', { assets: ['data'] }]],
    search: { url, collection: 'cop-dem-glo-30', timeless: true, cloud: false },
    row: {
      hosts: ['copernicus-dem-30m.s3.eu-central-1.amazonaws.com'],
      buckets: {
        'copernicus-dem-30m': {
          https: 'https://copernicus-dem-30m.s3.eu-central-1.amazonaws.com',
        },
      },
      listed: false,
    },
  }),
]
