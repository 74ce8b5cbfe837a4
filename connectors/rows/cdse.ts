import { type CatalogueRow, row, searchedByCloud, sentinel2Lulc, sentinel2Scl } from '../row.ts'
import { L2A_ESA } from './sentinel-2.ts'

/** The key of an asset holds its resolution; a band is also kept at coarser ones. */
const keyed = L2A_ESA.map(
  ([name, gsd, description, more]) =>
    [name, gsd, description, { ...more, assets: [`${name}_${gsd}m`] }] as const,
)

/** Copernicus Data Space: JPEG 2000 on s3, read with keys of an account. */
export const copernicusDataSpace: readonly CatalogueRow[] = [
  row({
    ...{ id: '5d9d1c7e-2b64-4a55-9f0f-6a3f0c2e7b01', connector: 'cdse', resolution_m: 10 },
    ...{ collection_name: 'sentinel-2-l2a', modality_tag: 'S2L2A' },
    source: {
      rgb_bands: ['B04', 'B03', 'B02'],
      cloud_masking: sentinel2Scl,
      permanent_water_masking: sentinel2Lulc,
      search: searchedByCloud,
    },
    bands: keyed,
    nodata: 0,
    search: {
      url: 'https://stac.dataspace.copernicus.eu/v1',
      collection: 'sentinel-2-l2a',
      tile: { property: 'grid:code', prefix: 'MGRS-' },
    },
    row: {
      radiometry: 'sentinel2_raw',
      hosts: ['eodata.dataspace.copernicus.eu'],
      buckets: { eodata: { https: null } },
      driver: 'JP2OpenJPEG',
      account: 'cdse',
      listed: false,
    },
  }),
]
