import { z } from 'zod'
import { defineContract } from '../contract.ts'
import { modelRun, modelRunPlanned, planModelRun } from '../model-run.ts'
import type { PlanContext } from '../plan-context.ts'
import { weights } from '../weights.ts'

/** How an ONNX model is run over a scene: its weights, and the keys of `runtime.json`. */
export const onnxParameters = z.strictObject({ weights, ...modelRun })

const plan = (context: PlanContext) => {
  if (!context.inference) return undefined
  const block = planModelRun(context.inference as z.output<typeof onnxParameters>, context)
  return { ...block, allow_private_hosts: context.options.allowPrivateHosts ?? false }
}

export const contract = defineContract({
  name: 'onnx-inference',
  stage: 'model',
  message: 'Inferencing ..',
  inference: onnxParameters,
  plan,
  consumes: ['imputed_input_image'],
  produces: ['model_output_image', 'model_output_probabilities', 'model_output_logits'],
  parameters: onnxParameters
    .extend({ ...modelRunPlanned, allow_private_hosts: z.boolean().default(false) })
    .refine((p) => (p.overlap ?? 0) < Math.min(...[p.tile ?? Infinity].flat()), {
      path: ['overlap'],
      message: 'must be smaller than tile',
    }),
})
