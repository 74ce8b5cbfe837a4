import { z } from 'zod'
import { defineContract } from '../contract.ts'
import { LARGEST_SCRIPT } from './script.ts'

const count = (fallback: number, most: number) =>
  z.number().int().positive().max(most).default(fallback)

/** What a user's script may use; a breach fails with a `processor.*` code of its own. */
export const limits = z.strictObject({
  wall_seconds: count(600, 7200),
  cpu_seconds: count(600, 14_400).describe('Of all its processes together'),
  memory_mb: count(2048, 65_536).describe(
    'Memory of all its processes together, /dev/shm included',
  ),
  processes: count(64, 1024),
  open_files: count(256, 4096),
  file_mb: count(1024, 65_536).describe('One file'),
  output_mb: count(2048, 131_072).describe('All that it writes'),
  log_mb: count(10, 100),
})

/** A user's script over the prediction. */
export const contract = defineContract({
  name: 'generic-python-processor',
  stage: 'processor',
  message: 'Running the generic processor ..',
  wanted: ({ options }) => options.processor !== undefined,
  plan: ({ options }) => options.processor,
  // The prediction where there is one; a model that only publishes has none.
  consumes: [],
  produces: ['model_output_image', 'model_output_image_raw'],
  parameters: z.strictObject({
    script: z.string().max(LARGEST_SCRIPT, 'the script is larger than 10 MiB'),
    file_name: z
      .string()
      .max(100)
      .regex(/^[\w][\w .-]*\.py$/, 'a file name ending in .py, without folders'),
    processor_parameters: z
      .record(z.string(), z.json())
      .nullish()
      .transform((value) => value ?? {}),
    limits: limits.prefault({}),
  }),
})
