import { z } from 'zod'
import { named } from '../http/answers.ts'

/** Answers of `/v2/tasks`, with the keys in the order that they are sent in. */
export const taskOutput = named(
  'TaskOutput',
  z.object({
    task_id: z.string(),
    output_url: z.string().meta({ description: 'archive.zip: 84 h, Range, no header' }),
    url: z.string(),
    assets: z.record(z.string(), z.object({ title: z.string(), href: z.string() })),
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
}
export const aLog = {
  task_id,
  step_id: 'onnx-inference',
  step_log_url: `https://host.example.org/v2/tasks/${task_id}/logs/onnx-inference/content?expires=1&signature=a`,
  status: 'FINISHED',
  warning: null,
}
