import { z } from 'zod'
import { named } from '../http/answers.ts'

/** How much of each class the prediction has, or the spread of a continuous one. */
const statistics = z.union([
  z.array(
    z.object({
      value: z.int(),
      label: z.string(),
      pixels: z.int(),
      share: z.number().meta({ description: 'Of the pixels with data, 0 to 1' }),
      area_km2: z.number().nullable().meta({ description: 'null where the raster has no CRS' }),
    }),
  ),
  z.object({
    valid_pixels: z.int(),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
    mean: z.number().optional(),
    stddev: z.number().optional(),
  }),
])

/** What the step that made them left; null where no step did. */
export const statisticsOf = (
  steps: readonly { readonly statistics?: unknown }[],
): z.output<typeof statistics> | null =>
  statistics.safeParse(steps.find((step) => step.statistics)?.statistics).data ?? null

/** Answers of `/v2/tasks`, with the keys in the order that they are sent in. */
export const taskOutput = named(
  'TaskOutput',
  z.object({
    task_id: z.string(),
    output_url: z.string().meta({ description: 'archive.zip: 84 h, Range, no header' }),
    url: z.string(),
    assets: z.record(z.string(), z.object({ title: z.string(), href: z.string() })),
    statistics: statistics.nullable(),
  }),
)
export const taskLog = named(
  'TaskLog',
  z.object({
    task_id: z.string(),
    step_id: z.string(),
    step_log_url: z.string(),
    status: z.string(),
    warning: z.string().nullable(),
  }),
)

const task_id = '3c0c1c0e-8f57-4a53-9d8b-6a1f0c9be005-task_0'
const archive = `https://host.example.org/v2/files/${task_id}/archive.zip?expires=1&signature=a`
export const anOutput = {
  task_id,
  output_url: archive,
  url: archive,
  assets: {
    model_output_image: {
      title: 'scene_pred.tif',
      href: `https://host.example.org/v2/files/${task_id}/scene_pred.tif?expires=1&signature=a`,
    },
  },
  statistics: [{ value: 1, label: 'Water', pixels: 2400, share: 0.24, area_km2: 0.24 }],
}
export const aLog = {
  task_id,
  step_id: 'onnx-inference',
  step_log_url: `https://host.example.org/v2/tasks/${task_id}/logs/onnx-inference/content?expires=1&signature=a`,
  status: 'FINISHED',
  warning: null,
}
