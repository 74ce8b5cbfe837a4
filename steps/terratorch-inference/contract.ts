import { z } from 'zod'
import { defineContract } from '../contract.ts'
import { modelRun, modelRunPlanned, planModelRun } from '../model-run.ts'
import type { PlanContext } from '../plan-context.ts'
import { type ModelFile, modelFile, weights } from '../weights.ts'

/**
 * How a fine-tuned TerraTorch model is run: its config (YAML) and its checkpoint.
 *
 * The other keys overrule what the config says; `tile` is the window that the model is exported
 * for. A tune that was exported already is named by `weights` alone.
 */
const fields = z.strictObject({
  config: modelFile.optional().describe('TerraTorch’s YAML, such as config_deploy.yaml'),
  checkpoint: modelFile.optional().describe('The .ckpt of the same training'),
  weights: weights.optional(),
  ...modelRun,
})

type Block = z.output<typeof fields>

/** What is exported. */
export interface TerratorchModel {
  readonly config: ModelFile
  readonly checkpoint: ModelFile
  readonly tile?: number | [number, number] | null | undefined
  readonly allow_private_hosts: boolean
}

/** The two ways that a model is given, and no mixture of them. */
const isWhole = ({ config, checkpoint, weights }: Block): boolean =>
  weights ? !config && !checkpoint : !!config && !!checkpoint

const WHOLE = { message: 'give config and checkpoint, or weights (ONNX) alone' }

export const terratorchParameters = fields.refine(isWhole, WHOLE)

const plan = (context: PlanContext) => {
  if (!context.inference) return undefined
  const block = planModelRun(context.inference as Block, context)
  return { ...block, allow_private_hosts: context.options.allowPrivateHosts ?? false }
}

export const contract = defineContract({
  name: 'terratorch-inference',
  stage: 'model',
  message: 'Inferencing ..',
  inference: terratorchParameters,
  plan,
  consumes: ['imputed_input_image'],
  produces: ['model_output_image', 'model_output_probabilities', 'model_output_logits'],
  parameters: fields
    .extend({ ...modelRunPlanned, allow_private_hosts: z.boolean().default(false) })
    .refine(isWhole, WHOLE),
})
