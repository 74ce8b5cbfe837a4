import { type CatalogueRow, row, searchedByCloud, sentinel2Lulc, sentinel2Scl } from '../row.ts'
import { L2A_ESA } from './sentinel-2.ts'

const url = 'https://planetarycomputer.microsoft.com/api/stac/v1'
const connector = 'planetary_computer'
const signed = { account: 'planetary_computer', listed: false } as const

/** The Planetary Computer: public, but each read needs a token of the container (no account). */
export const planetaryComputer: readonly CatalogueRow[] = [
  row({
    ...{ id: '7b0b3c0a-7a1b-4d0e-8d1f-2f6b5e0d1a01', connector, resolution_m: 10 },
    ...{ collection_name: 'sentinel-2-l2a', modality_tag: 'S2L2A' },
    source: {
      rgb_bands: ['B04', 'B03', 'B02'],
      cloud_masking: sentinel2Scl,
      permanent_water_masking: sentinel2Lulc,
      search: searchedByCloud,
    },
    bands: L2A_ESA,
    nodata: 0,
    search: {
      ...{ url, collection: 'sentinel-2-l2a' },
      tile: { property: 's2:mgrs_tile', prefix: '' },
    },
    row: {
      ...signed,
      radiometry: 'sentinel2_raw',
      hosts: ['sentinel2l2a01.blob.core.windows.net'],
    },
  }),
  row({
    ...{ id: '7b0b3c0a-7a1b-4d0e-8d1f-2f6b5e0d1a02', connector, resolution_m: 10 },
    ...{ collection_name: 'sentinel-1-rtc', modality_tag: 'S1RTC' },
    bands: [
      ['vv', 10, 'Terrain-corrected backscatter, gamma nought, linear power, VV', { alt: 'VV' }],
      ['vh', 10, 'Terrain-corrected backscatter, gamma nought, linear power, VH', { alt: 'VH' }],
    ],
    nodata: -32768,
    search: { url, collection: 'sentinel-1-rtc', cloud: false },
    row: { ...signed, hosts: ['sentinel1euwestrtc.blob.core.windows.net'] },
  }),
  row({
    ...{ id: '7b0b3c0a-7a1b-4d0e-8d1f-2f6b5e0d1a03', connector, resolution_m: 30 },
    ...{ collection_name: 'cop-dem-glo-30', modality_tag: 'DEM' },
    bands: [['DEM', 30, 'Elevation, m', { assets: ['data'] }]],
    search: { url, collection: 'cop-dem-glo-30', timeless: true, cloud: false },
    row: { ...signed, hosts: ['elevationeuwest.blob.core.windows.net'] },
  }),
]
