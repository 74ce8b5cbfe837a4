import { z } from 'zod'
import { anyObject, bboxArray as bbox, pageOf, named, stampFields } from '../http/answers.ts'
import { nextCursor } from '../http/cursors.ts'
import { uuid } from '../http/routing.ts'

const scene = z.union([z.string(), z.record(z.string(), z.string())])
const count = z.int().min(0)

/** Answers of `/v2/inference`, with the keys in the order that they are sent in. */
export const inferenceSchema = named(
  'Inference',
  z.object({
    spatial_domain: z.object({
      bbox: z.array(bbox),
      polygons: z.array(anyObject),
      tiles: z.array(z.unknown()),
      urls: z.array(scene),
      omitted: z
        .record(z.string(), z.int())
        .optional()
        .meta({ description: 'In a list, of a long request: how many entries are left out' }),
    }),
    temporal_domain: z.array(z.string()),
    fine_tuning_id: z.string().nullable(),
    generic_processor: anyObject.nullable(),
    maxcc: z.number(),
    model_display_name: z.string(),
    description: z.string().nullable(),
    location: z.string().nullable(),
    geoserver_layers: anyObject.nullable(),
    demo: anyObject.nullable(),
    model_id: uuid,
    inference_output: anyObject.nullable(),
    generic_processor_id: uuid.nullable(),
    id: uuid,
    ...stampFields,
    status: z.string(),
    tasks_count_total: count.meta({ description: 'Steps of all tasks, the planner included' }),
    tasks_count_success: count,
    tasks_count_failed: count,
    tasks_count_stopped: count,
    tasks_count_waiting: count,
  }),
)
export const inferencesSchema = pageOf('Inferences', inferenceSchema)

export const step = named(
  'Step',
  z.looseObject({
    status: z.string(),
    process_id: z.string(),
    step_number: z.int(),
    start_time: z.string().optional(),
    end_time: z.string().optional(),
    error: z.looseObject({ code: z.string(), message: z.string() }).optional(),
    message: z.string().optional(),
    result: z.unknown().optional(),
    statistics: z.unknown().optional().meta({
      description: 'Pixels, share and km² of each class, as /v2/tasks/{id}/output has it',
    }),
    artifacts: z.record(z.string(), z.string()).optional(),
  }),
)
export const tasksSchema = named(
  'Tasks',
  z.object({
    inference_id: uuid,
    status: z.string(),
    next_cursor: nextCursor,
    tasks: z.array(
      z.object({
        inference_id: uuid,
        task_id: z.string(),
        inference_folder: z.string().nullable(),
        status: z.string(),
        pipeline_steps: z.array(step),
      }),
    ),
  }),
)
export const message = named('Message', z.object({ msg: z.string() }))

const entries = z.array(anyObject)
const foundItem = z.object({
  id: z.string(),
  collection: z.string(),
  datetime: z.string(),
  cloud_cover: z.number().nullable(),
  share: z.number().meta({ description: 'Of the box, 0 to 1' }),
  baseline: z.string().nullable(),
})
/** One day of one tile of a place. */
const placeTask = z.object({
  bbox,
  dimensions: z.tuple([z.number(), z.number()]),
  grid: z.unknown(),
  date: z.string().nullable(),
  cloud: z.number().nullable(),
  coverage: z.number(),
  items: z.array(foundItem),
  bytes_read: z.number(),
  bytes_written: z.number(),
  requests: z.number(),
  processing_units: z.number(),
})
const sceneTask = z.object({ source: z.string(), date: z.string().nullable() })
const totals = z.object({
  tasks: count,
  items: count.optional(),
  days: count.optional(),
  pixels: z.number().optional(),
  bytes_read: z.number().optional(),
  bytes_written: z.number().optional(),
  requests: z.number().optional(),
  cost: z.string().optional(),
  expected_seconds: z.number().nullable(),
})
const missing = z.object({
  field: z.string(),
  bbox,
  reason: z.string(),
  nearest: z.array(z.string()),
  error_code: z.int(),
  message: z.string(),
})
const earlierRuns = z
  .object({
    tasks: count.meta({ description: 'Tasks that were looked up: the first 200' }),
    steps: z.array(
      z.object({
        process_id: z.string(),
        always_runs: z
          .boolean()
          .meta({ description: 'It reads or changes things outside: no cache answers it' }),
        tasks: count,
        seen_before: count.meta({
          description:
            'Tasks in which it would be called with the same as in an earlier run of yours',
        }),
        last_run_at: z.string().nullable(),
      }),
    ),
  })
  .meta({
    description:
      'Steps that ran before on an engine that answers now. No promise that its cache still has them',
  })
const planSchema = z.object({
  tasks: z.array(z.union([placeTask, sceneTask])).optional(),
  totals: totals.optional(),
  earlier_runs: earlierRuns.optional(),
  missing: z.array(missing).optional(),
  warnings: z.array(z.string()).optional(),
  measured: z.array(z.string()).optional(),
  estimated: z.array(z.string()).optional(),
  error: z
    .object({ code: z.string(), message: z.string() })
    .nullable()
    .meta({ description: 'Why it cannot be planned' }),
})
export const dryRunSchema = named(
  'DryRun',
  z.object({
    spatial_domain: anyObject,
    temporal_domain: z.array(z.string()),
    model_input_data_spec: entries,
    data_connector_config: entries,
    geoserver_push: entries,
    pipeline_steps: z.array(step),
    post_processing: anyObject,
    fine_tuning_id: z.null(),
    generic_processor: anyObject.nullable(),
    maxcc: z.number(),
    model_id: z.string(),
    model_internal_name: z.string(),
    tune_id: z.string(),
    request_type: z.string(),
    inference_id: uuid,
    description: z.string().nullable(),
    location: z.string().nullable(),
    model_access_url: z.string().nullable(),
    user: z.string(),
    inferencing: z.unknown(),
    plan: planSchema,
  }),
)
