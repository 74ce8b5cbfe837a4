import type { Selectable } from 'kysely'
import { z } from 'zod'
import {
  connectorConfig,
  inputSpec,
  isBox,
  postProcessing,
  pushEntry,
  requestStep,
  searchFields,
} from '../../pipelines/request.ts'
import { period, rightlyNamed, sceneUrl } from '../../pipelines/request-fields.ts'
import { tileNamed } from '../../pipelines/area/tile-names.ts'
import type { InferenceTable } from '../database/database.ts'
import { INT_FROM_FLOAT } from '../http/errors.ts'
import type { BodyLimits } from '../http/limits.ts'
import { listOf } from '../http/lists.ts'
import { uuid, wholeText } from '../http/routing.ts'
import { stamps, wireTime } from '../http/time.ts'

const loose = z.record(z.string(), z.unknown())
/** What a box on the wire must be. */
export const BOX_RULE =
  'bbox must be [minLon, minLat, maxLon, maxLat] in degrees WGS84, min below max; minLon above maxLon only across 180 degrees'
const bbox = z
  .tuple([z.number(), z.number(), z.number(), z.number()], {
    error: () => 'bbox must be [minLon, minLat, maxLon, maxLat]',
  })
  .refine(isBox, { message: BOX_RULE })
/** More than any setting of MAX_SCENES; the setting itself is looked at in create.ts. */
const MOST_SCENES = 50_000
const MOST_SHAPES = 5000
const MOST_POSITIONS = 20_000
const SPLIT = 'split the request'
const position = z.tuple([z.number().min(-180).max(180), z.number().min(-90).max(90)], z.number())
const ring = listOf(position, MOST_POSITIONS, 'simplify the polygon').refine(
  (positions) => positions.length >= 4,
  { message: 'a ring has four or more positions' },
)
const rings = listOf(ring, MOST_SHAPES, 'simplify the polygon').refine((all) => all.length > 0, {
  message: 'a polygon has a ring',
})
const areal = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('Polygon'), coordinates: rings }),
  z.looseObject({
    type: z.literal('MultiPolygon'),
    coordinates: listOf(rings, MOST_SHAPES, 'simplify the polygon'),
  }),
])
const isAreal = (shape: unknown): boolean => areal.safeParse(shape).success
const polygon = z
  .looseObject({
    type: z.enum(
      ['Polygon', 'MultiPolygon', 'Feature'],
      'polygons must be GeoJSON: a Polygon, a MultiPolygon or a Feature of one each',
    ),
  })
  .refine((shape) => isAreal(shape.type === 'Feature' ? shape.geometry : shape), {
    message:
      'polygons must be GeoJSON Polygon or MultiPolygon: closed rings of four or more [lon, lat] in degrees',
  })
const scene = z.union([sceneUrl, z.record(z.string(), sceneUrl)])

const isTile = (name: unknown): boolean => {
  try {
    return !!tileNamed(name)
  } catch {
    return false
  }
}
const tile = z
  .string('tiles are MGRS squares such as 31TCJ or Web Mercator keys z/x/y')
  .max(50)
  .refine(isTile, {
    error: ({ input }) =>
      `${JSON.stringify(String(input).slice(0, 50))} is neither an MGRS square such as 31TCJ nor a Web Mercator key z/x/y`,
  })

const spatial = rightlyNamed(
  z.looseObject({
    bbox: listOf(bbox, MOST_SHAPES, SPLIT).nullish(),
    polygons: listOf(polygon, MOST_SHAPES, SPLIT).nullish(),
    tiles: listOf(tile, MOST_SHAPES, SPLIT).nullish(),
    urls: listOf(scene, MOST_SCENES, SPLIT).nullish(),
  }),
).refine(
  (domain) =>
    [domain.bbox, domain.polygons, domain.tiles, domain.urls].some((list) => list?.length),
  { message: "At least one of 'bbox', 'polygons', 'tiles', or 'urls' must be provided." },
)

const KIB = 1024
/**
 * What a body of `inferenceInput` may hold. What every list and every status shows (demo, layers,
 * output) is small; room is where scenes and styles are.
 */
export const inferenceLimits: BodyLimits = {
  bytes: 12 * 1024 * KIB,
  nodes: 100_000,
  fields: {
    spatial_domain: 12 * 1024 * KIB,
    temporal_domain: 512 * KIB,
    model_input_data_spec: 256 * KIB,
    geoserver_push: 256 * KIB,
    data_connector_config: 256 * KIB,
    pipeline_steps: 64 * KIB,
    post_processing: 16 * KIB,
    description: 64 * KIB,
    geoserver_layers: 64 * KIB,
    demo: 16 * KIB,
    inference_output: 16 * KIB,
    inferencing: 64 * KIB,
  },
  others: 64 * KIB,
}

/** The body of POST `/v2/inference`, `/dry-run`: nulls are as good as absent. @see docs/wire.md#inference */
export const inferenceInput = rightlyNamed(
  z.looseObject({
    model_id: uuid.nullish(),
    model_display_name: z.string().max(100).nullish(),
    spatial_domain: spatial,
    temporal_domain: listOf(period, MOST_SCENES, SPLIT),
    fine_tuning_id: z.string().max(100).nullish(),
    model_input_data_spec: listOf(inputSpec, 100).nullish(),
    geoserver_push: listOf(pushEntry, 100).nullish(),
    data_connector_config: listOf(connectorConfig, 100).nullish(),
    pipeline_steps: listOf(requestStep, 100).nullish(),
    post_processing: postProcessing.nullish(),
    generic_processor_id: uuid.nullish(),
    maxcc: z
      .union([z.number(), wholeText])
      .pipe(z.number().int(INT_FROM_FLOAT).min(0).max(100))
      .nullish(),
    min_coverage: searchFields.min_coverage,
    one_per: searchFields.one_per,
    clip: searchFields.clip,
    description: z.string().max(10_000).nullish(),
    location: z.string().max(100).nullish(),
    geoserver_layers: loose.nullish(),
    demo: loose.nullish(),
    inference_output: loose.nullish(),
    inferencing: z.unknown().optional(),
  }),
).refine((body) => body.model_id || body.model_display_name, {
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

/** What an answer shows of a request's config. */
export interface Asked {
  readonly spatial_domain: {
    readonly bbox?: readonly (readonly [number, number, number, number])[] | null
    readonly polygons?: readonly Record<string, unknown>[] | null
    readonly tiles?: readonly unknown[] | null
    readonly urls?: readonly (string | Record<string, string>)[] | null
    /** Of a list's long entry: how many are left out, by name */
    readonly omitted?: Readonly<Record<string, number>>
  }
  readonly temporal_domain: string[]
  readonly fine_tuning_id?: string | null
  readonly generic_processor?: Record<string, unknown> | null
  readonly maxcc?: number | null
}
export type InferenceRow = Omit<
  Selectable<InferenceTable>,
  'inference_config' | 'shown' | 'traceparent'
> & {
  model_display_name: string
  asked: Asked
}

/** Of a list's entry: the whole is read by GET of the one. */
const LONGEST_SHOWN = 16 * KIB
const MOST_SHOWN = 20

/** What a list shows of a long request: the first scenes, and how many are left out; else null. */
export const shownInLists = (config: Record<string, unknown>): Asked | null => {
  const { spatial_domain, temporal_domain, fine_tuning_id, generic_processor, maxcc } =
    config as unknown as Asked
  const size = (value: unknown) => JSON.stringify(value ?? null).length
  if (size(spatial_domain) + size(temporal_domain) + size(generic_processor) <= LONGEST_SHOWN)
    return null
  const omitted: Record<string, number> = {}
  const cut = <T>(name: string, list: readonly T[]): T[] => {
    const kept = list.slice(0, MOST_SHOWN).filter((item) => size(item) < LONGEST_SHOWN / MOST_SHOWN)
    if (kept.length < list.length) omitted[name] = list.length - kept.length
    return kept
  }
  const lists = Object.entries(spatial_domain).flatMap(([name, list]) =>
    Array.isArray(list) ? [[name, cut(name, list as unknown[])] as const] : [],
  )
  const domain = Object.fromEntries(lists)
  const days = cut('temporal_domain', temporal_domain)
  const { processor_parameters: _, ...processor } = (generic_processor ?? {}) as Record<
    string,
    unknown
  >
  return {
    spatial_domain: { ...domain, omitted },
    temporal_domain: days,
    fine_tuning_id: fine_tuning_id ?? null,
    generic_processor: generic_processor ? processor : null,
    maxcc: maxcc ?? null,
  }
}

const stepCounts = (row: Omit<InferenceRow, 'asked'>) => ({
  tasks_count_total: row.tasks_count_total,
  tasks_count_success: row.tasks_count_success,
  tasks_count_failed: row.tasks_count_failed,
  tasks_count_stopped: row.tasks_count_stopped,
  tasks_count_waiting: row.tasks_count_waiting,
})

/** What of an answer changes while it runs. */
export const changingAnswer = (row: Omit<InferenceRow, 'asked'>) => ({
  id: row.id,
  status: row.status,
  updated_at: wireTime(row.updated_at),
  geoserver_layers: row.geoserver_layers,
  inference_output: row.inference_output,
  ...stepCounts(row),
})

/** Keys in the order that clients print. */
export const inferenceAnswer = (row: InferenceRow) => {
  const { asked } = row
  const { bbox, polygons, tiles, urls, omitted } = asked.spatial_domain
  return {
    spatial_domain: {
      bbox: bbox ?? [],
      polygons: polygons ?? [],
      tiles: tiles ?? [],
      urls: urls ?? [],
      ...(omitted ? { omitted } : {}),
    },
    temporal_domain: asked.temporal_domain,
    fine_tuning_id: asked.fine_tuning_id ?? null,
    generic_processor: asked.generic_processor ?? null,
    maxcc: asked.maxcc ?? 100,
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
    ...stepCounts(row),
  }
}
