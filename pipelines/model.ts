import { parse } from 'yaml'
import { z } from 'zod'
import { metadataOfConfig } from '../steps/terratorch-inference/metadata.ts'
import { contractOf, knownNames, stepNamed } from '../steps/contracts.ts'
import { invalid } from './errors.ts'
import { modelOf, stepFor } from './runs-by.ts'
import { inputSpec, postProcessing, pushEntry } from './request.ts'

const pipelineStep = z.looseObject({
  process_id: z.enum(knownNames as [string, ...string[]], {
    error: (issue) => `unknown step ${JSON.stringify(issue.input)}: use one of ${knownNames}`,
  }),
  step_number: z.number().int().min(0),
  status: z.string().optional(),
})

/** The `inference` block as the step reads it that runs the model. */
const checkInference = <
  M extends {
    pipeline_steps: { process_id: string }[]
    inference?: unknown
    model_url?: string | null | undefined
  },
>(
  model: M,
  context: z.RefinementCtx,
): M => {
  const steps = model.pipeline_steps.map(({ process_id }) =>
    stepNamed(stepFor(process_id, modelOf(model)))!,
  )
  const schema = steps.map((name) => contractOf(name).inference).find(Boolean)
  if (!schema || model.inference == null) return model
  const parsed = schema.safeParse(model.inference)
  if (parsed.success) return { ...model, inference: parsed.data }
  for (const issue of parsed.error.issues)
    context.addIssue({ code: 'custom', message: issue.message, path: ['inference', ...issue.path] })
  return z.NEVER
}

/** A model by its metadata: the row of `/v2/models`, plus how its weights are run. */
export const modelMetadata = z
  .strictObject({
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
    inference: z.looseObject({}).nullish(),
    model_url: z
      .url({ protocol: /^https?$/ })
      .nullish()
      .describe('Server that runs the model'),
    internal_name: z.string().max(200).nullish().describe('Name that the server knows it by'),
    mlm: z.looseObject({}).optional().describe('STAC MLM Item that the model was read from'),
  })
  .transform(checkInference)
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

/**
 * A model that is nothing but a TerraTorch config and the checkpoint given beside it.
 *
 * @throws PlanError `model.bad_config`, naming the field
 */
export const modelOfConfig = (text: string, name = 'config'): ModelMetadata =>
  modelMetadata.parse(metadataOfConfig(text, name))
