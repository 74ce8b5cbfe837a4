import type { Selectable } from 'kysely'
import { z } from 'zod'
import { mlmToModel } from '../../pipelines/mlm-read.ts'
import { terratorchParameters } from '../../steps/terratorch-inference/contract.ts'
import type { ModelTable } from '../database/database.ts'
import { stamps } from '../http/time.ts'

const text = z.string().nullish()
const objects = z.array(z.record(z.string(), z.unknown())).nullish()
const onboarding = z
  .looseObject({
    fine_tuned_model_id: z.string().max(100).nullish(),
    model_configs_url: text,
    model_checkpoint_url: text,
  })
  .nullish()
const url = z
  .string()
  .max(2000)
  .transform((value, context) => {
    if (value === '') return ''
    if (URL.canParse(value) && /^https?:/i.test(value)) return new URL(value).href
    context.addIssue({ code: 'custom', message: 'model_url must be an http(s) URL' })
    return z.NEVER
  })
  .nullish()

const steps = z
  .array(
    z.looseObject({
      process_id: z.string().min(1).max(50),
      step_number: z.coerce.number().int().min(0).max(1000),
      status: z.string().max(20).nullish(),
    }),
  )
  .refine((all) => new Set(all.map((step) => step.process_id)).size === all.length, {
    message: 'each process_id may stand once in pipeline_steps',
  })
  .nullish()

/** An Item that can be read: what was taken in comes out again. */
const item = z
  .looseObject({})
  .superRefine((given, context) => {
    try {
      mlmToModel(given)
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message })
    }
  })
  .nullish()

/** POST and PATCH of `/v2/models`; fields not named here are ignored. @see docs/wire.md#models */
export const modelInput = z.object({
  display_name: z
    .string()
    .max(100)
    .regex(
      /^[A-Za-z0-9_-]+$/,
      'model display_name can only contain letters, underscores, and hyphens',
    )
    // Of a JavaScript regex `$` is the end: a trailing newline does not slip through.
    .min(1),
  description: text,
  model_url: url,
  pipeline_steps: steps,
  geoserver_push: objects,
  model_input_data_spec: objects,
  postprocessing_options: z.record(z.string(), z.unknown()).nullish(),
  sharable: z.boolean().nullish(),
  model_onboarding_config: onboarding,
  latest: z.boolean().nullish(),
  version: z.number().nullish(),
  /** Beyond GEOStudio: how ONNX weights, or a TerraTorch config and checkpoint, are run */
  inference: terratorchParameters.nullish(),
  /** Beyond GEOStudio: SPDX identifier or words */
  licence: z.string().max(200).nullish(),
  /** Beyond GEOStudio: the STAC MLM Item that the model is read from, as `POST` of one keeps it */
  mlm: item,
})
export const deployInput = z.looseObject({
  fine_tuned_model_id: z.string().max(100).nullish(),
  model_configs_url: text,
  model_checkpoint_url: text,
})

export type ModelRow = Selectable<ModelTable>

/** Keys in the order that clients print. @see docs/wire.md#models */
export const modelAnswer = (row: ModelRow) => ({
  display_name: row.display_name,
  description: row.description,
  model_url: row.model_url,
  pipeline_steps: row.pipeline_steps,
  geoserver_push: row.geoserver_push,
  model_input_data_spec: row.model_input_data_spec,
  postprocessing_options: row.postprocessing_options,
  sharable: row.sharable,
  model_onboarding_config: row.model_onboarding_config,
  latest: row.latest,
  version: row.version,
  internal_name: row.internal_name,
  id: row.id,
  ...stamps(row),
  status: row.status,
  ...(row.inference ? { inference: row.inference } : {}),
  ...(row.licence ? { licence: row.licence } : {}),
  ...(row.error ? { error: row.error } : {}),
})

/** Lower case, `_` and space to `-`, 30 characters, version, 8 hex. */
export const internalName = (display: string, version: number): string =>
  `${display.toLowerCase().replace(/[_ ]/g, '-').slice(0, 30)}-v${Math.floor(version)}-${crypto.randomUUID().slice(0, 8)}`
