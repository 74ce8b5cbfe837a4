import { parse } from 'yaml'
import { z } from 'zod'
import { stepNames } from '../steps/contracts.ts'
import { onnxParameters } from '../steps/onnx-inference/contract.ts'
import { invalid } from './errors.ts'
import { inputSpec, postProcessing, pushEntry } from './request.ts'

const pipelineStep = z.looseObject({
  process_id: z.enum(stepNames as [string, ...string[]], {
    error: (issue) => `unknown step ${JSON.stringify(issue.input)}: use one of ${stepNames}`,
  }),
  step_number: z.number().int().min(0),
  status: z.string().optional(),
})

/** A model by its metadata: the row of `/v2/models`, plus how its weights are run. */
export const modelMetadata = z.strictObject({
  display_name: z.string().regex(/^[A-Za-z0-9_-]+$/, 'letters, digits, - and _'),
  description: z.string().default(''),
  licence: z.string().optional(),
  pipeline_steps: z
    .array(pipelineStep)
    .min(1)
    .refine((steps) => new Set(steps.map((s) => s.process_id)).size === steps.length, {
      message: 'each process_id may stand once',
    }),
  model_input_data_spec: z.array(inputSpec).min(1),
  geoserver_push: z.array(pushEntry).default([]),
  postprocessing_options: postProcessing.default({}),
  inference: onnxParameters.nullish(),
})
export type ModelMetadata = z.output<typeof modelMetadata>

/** Reads a model's YAML. @throws `model.invalid`, naming each field. */
export const parseModel = (text: string, name = 'model'): ModelMetadata => {
  let document: unknown
  try {
    document = parse(text)
  } catch (error) {
    throw invalid('model.invalid', name, (error as Error).message)
  }
  const parsed = modelMetadata.safeParse(document)
  if (!parsed.success) throw invalid('model.invalid', name, parsed.error)
  return parsed.data
}
