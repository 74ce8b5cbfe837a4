import type { Selectable } from 'kysely'
import { z } from 'zod'
import { inputSpec, postProcessing, pushEntry } from '../../pipelines/request.ts'
import type { InferenceTable } from '../database/database.ts'
import { INT_FROM_FLOAT } from '../http/errors.ts'
import { uuid, wholeText } from '../http/routing.ts'
import { stamps } from '../http/time.ts'

/** Fields whose entries SDKs fill with nulls. */
const NESTED = [
  'model_input_data_spec',
  'geoserver_push',
  'data_connector_config',
  'pipeline_steps',
  'post_processing',
]

/** The value without its objects' nulls: they are as good as absent. */
export const withoutNulls = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([, item]) => item !== null && item !== undefined)
  return Object.fromEntries(kept.map(([key, item]) => [key, withoutNulls(item)]))
}

/** A request as `inferenceInput` reads it. */
export const tidyInference = (raw: unknown): unknown => {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return raw
  const entries = Object.entries(raw)
  return Object.fromEntries(
    entries.map(([key, value]) => [key, NESTED.includes(key) ? withoutNulls(value) : value]),
  )
}

const loose = z.record(z.string(), z.unknown())
const bbox = z
  .tuple([z.number(), z.number(), z.number(), z.number()], {
    error: () => 'bbox must be [minLon, minLat, maxLon, maxLat]',
  })
  .refine(([w, s, e, n]) => w < e && s < n && w >= -180 && e <= 180 && s >= -90 && n <= 90, {
    message: 'bbox must be [minLon, minLat, maxLon, maxLat] in degrees WGS84, min below max',
  })
const position = z.tuple([z.number().min(-180).max(180), z.number().min(-90).max(90)], z.number())
const ring = z.array(position).min(4)
const rings = z.array(ring).min(1)
const areal = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('Polygon'), coordinates: rings }),
  z.looseObject({ type: z.literal('MultiPolygon'), coordinates: z.array(rings).min(1) }),
])
const isAreal = (shape: unknown): boolean => areal.safeParse(shape).success
const polygon = z
  .looseObject({ type: z.enum(['Polygon', 'MultiPolygon', 'Feature'], 'polygons must be GeoJSON') })
  .refine((shape) => isAreal(shape.type === 'Feature' ? shape.geometry : shape), {
    message:
      'polygons must be GeoJSON Polygon or MultiPolygon: closed rings of four or more [lon, lat] in degrees',
  })
const source = z.string().min(1).max(8000)

const spatial = z
  .looseObject({
    bbox: z.array(bbox).nullish(),
    polygons: z.array(polygon).nullish(),
    tiles: z.array(z.unknown()).nullish(),
    urls: z.array(z.union([source, z.record(z.string(), source)])).nullish(),
  })
  .refine(
    (domain) =>
      [domain.bbox, domain.polygons, domain.tiles, domain.urls].some((list) => list?.length),
    { message: "At least one of 'bbox', 'polygons', 'tiles', or 'urls' must be provided." },
  )

/** A step of the request. @see contract.md 2.1 */
const step = z.looseObject({
  process_id: z.string().min(1).max(50),
  step_number: z.coerce.number().int().min(0).max(1000),
})

/** The body of POST `/v2/inference`, `/dry-run`: nulls are as good as absent. @see contract.md 1.3 */
export const inferenceInput = z
  .looseObject({
    model_id: uuid.nullish(),
    model_display_name: z.string().max(100).nullish(),
    spatial_domain: spatial,
    temporal_domain: z.array(z.string().max(100)),
    fine_tuning_id: z.string().max(100).nullish(),
    model_input_data_spec: z.array(inputSpec).nullish(),
    geoserver_push: z.array(pushEntry).nullish(),
    data_connector_config: z
      .array(
        z.looseObject({
          connector: z.string().nullish(),
          collection: z.string().nullish(),
          collection_name: z.string().nullish(),
        }),
      )
      .nullish(),
    pipeline_steps: z.array(step).nullish(),
    post_processing: postProcessing.nullish(),
    generic_processor_id: uuid.nullish(),
    maxcc: z
      .union([z.number(), wholeText])
      .pipe(z.number().int(INT_FROM_FLOAT).min(0).max(100))
      .nullish(),
    description: z.string().max(10_000).nullish(),
    location: z.string().max(100).nullish(),
    geoserver_layers: loose.nullish(),
    demo: loose.nullish(),
    inference_output: loose.nullish(),
    inferencing: z.unknown().optional(),
  })
  .refine((body) => body.model_id || body.model_display_name, {
    message: "At least one of 'model_id' or 'model_display_name' must be provided.",
  })
export type InferenceInput = z.output<typeof inferenceInput>

export const tryOutInput = z.looseObject({
  ...inferenceInput.shape,
  location: z.string().max(100),
  description: z
    .string()
    .max(10_000)
    .nullish()
    .transform((text) => text ?? 'try-out'),
})

export type InferenceRow = Selectable<InferenceTable> & { model_display_name: string }

/** Keys in the order that clients print. @see contract.md 1.3 */
export const inferenceAnswer = (row: InferenceRow) => {
  const config = row.inference_config as Record<string, any>
  const { bbox = null, polygons = null, tiles = null, urls = null } = config.spatial_domain
  return {
    spatial_domain: {
      bbox: bbox ?? [],
      polygons: polygons ?? [],
      tiles: tiles ?? [],
      urls: urls ?? [],
    },
    temporal_domain: config.temporal_domain,
    fine_tuning_id: config.fine_tuning_id ?? null,
    generic_processor: config.generic_processor ?? null,
    maxcc: config.maxcc ?? 100,
    model_display_name: row.model_display_name,
    description: row.description,
    location: row.location,
    geoserver_layers: row.geoserver_layers,
    demo: row.demo,
    model_id: row.model_id,
    inference_output: row.inference_output,
    generic_processor_id: row.generic_processor_id,
    id: row.id,
    ...stamps(row),
    status: row.status,
    tasks_count_total: row.tasks_count_total,
    tasks_count_success: row.tasks_count_success,
    tasks_count_failed: row.tasks_count_failed,
    tasks_count_stopped: row.tasks_count_stopped,
    tasks_count_waiting: row.tasks_count_waiting,
  }
}
