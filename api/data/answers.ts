import { z } from 'zod'
import { anyObject, bboxArray, named } from '../http/answers.ts'

const mask = z.object({ band: z.string(), encoding: z.string() }).nullable()
const band = z.object({
  band_name: z.string(),
  alt_names: z.array(z.string()).optional(),
  resolution: z.string().meta({ description: 'With its unit: 10m' }),
  description: z.string(),
  RGB_band: z.string().optional(),
  scale_factor: z.number().optional(),
})

/** Answers of `/v2/data-sources`, `/v2/data-advice` and `/v2/file-share`. */
export const dataSource = named(
  'DataSource',
  z.object({
    connector: z.string(),
    collection_name: z.string(),
    bands: z.array(band),
    data_collection: z.string().nullable(),
    resolution_m: z.number().nullable(),
    rgb_bands: z.array(z.string()).nullable(),
    modality_tag: z.string(),
    cloud_masking: mask,
    permanent_water_masking: mask,
    query_template: z.string().nullable(),
    search: z.object({ fields: z.string(), filter: z.string() }).nullable(),
    request_input_data: anyObject.nullable(),
    max_query_bbox_dimension: z.number().nullable(),
    id: z.string(),
  }),
)
export const dataSources = named('DataSources', z.object({ results: z.array(dataSource) }))
export const collectionNames = named('CollectionNames', z.object({ results: z.array(z.string()) }))

const scene = z.object({
  id: z.string(),
  properties: z.object({ datetime: z.string(), 'eo:cloud_cover': z.number().nullable() }),
})
export const advice = z.object({
  bbox: bboxArray,
  unique_dates: z.array(z.string()),
  available_data: z.array(scene).optional(),
  message: z.string().optional().meta({ description: 'Where no day has a scene' }),
})
export const dataAdvice = named('DataAdvice', z.object({ results: z.array(advice) }))
export const fileShare = named(
  'FileShare',
  z.object({ upload_url: z.string(), download_url: z.string(), message: z.string() }),
)

export const aSource: z.input<typeof dataSource> = {
  connector: 'sentinel_aws',
  collection_name: 'sentinel-2-l2a',
  bands: [{ band_name: 'blue', resolution: '10m', description: 'Blue', RGB_band: 'B' }],
  data_collection: null,
  resolution_m: 10,
  rgb_bands: ['red', 'green', 'blue'],
  modality_tag: 'S2L2A',
  cloud_masking: { band: 'scl', encoding: 'sentinel2_scl' },
  permanent_water_masking: null,
  query_template: null,
  search: null,
  request_input_data: null,
  max_query_bbox_dimension: null,
  id: 'sentinel_aws/sentinel-2-l2a',
}
export const aScene: z.input<typeof advice> = {
  bbox: [-0.5, 41.5, -0.3, 41.7],
  unique_dates: ['2024-08-12'],
  available_data: [
    {
      id: 'S2B_30TYM_20240812_0_L2A',
      properties: { datetime: '2024-08-12T10:56:29Z', 'eo:cloud_cover': 3.1 },
    },
  ],
}
