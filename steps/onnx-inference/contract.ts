import { z } from 'zod'
import { modelBands } from '../bands.ts'
import { defineContract } from '../contract.ts'
import { PlanError } from '../errors.ts'
import type { PlanContext } from '../plan-context.ts'
import { weights } from '../weights.ts'

/** How an ONNX model [batch, band, row, column] is run over a scene. */
export const onnxParameters = z.strictObject({
  weights,
  task: z.enum(['segmentation', 'regression']).default('segmentation'),
  tile: z.number().int().min(8).max(4096).describe('Side of a window, pixels'),
  overlap: z.number().int().min(0).default(0).describe('Pixels that neighbours share'),
  batch: z.number().int().min(1).max(64).default(4),
  blend: z.enum(['mean', 'ramp']).default('mean'),
  activation: z.enum(['none', 'softmax']).default('none'),
  mean: z.array(z.number()).default([]).describe('Per band, after scaling'),
  std: z.array(z.number().positive()).default([]),
})

/** @throws PlanError `model.invalid` where mean or std is not one number a band */
const checkStatistics = (block: z.output<typeof onnxParameters>, bands: number): void => {
  for (const name of ['mean', 'std'] as const) {
    const given = block[name].length
    if (given && given !== bands)
      throw new PlanError(
        'model.invalid',
        `inference.${name}: ${given} values for ${bands} bands of model_input_data_spec: give one a band`,
      )
  }
}

const plan = ({ inference, input_spec, options }: PlanContext) => {
  if (!inference) return undefined
  const block = inference as z.output<typeof onnxParameters>
  checkStatistics(block, modelBands(input_spec[0]!, inference).length)
  return { ...block, allow_private_hosts: options.allowPrivateHosts ?? false }
}

export const contract = defineContract({
  name: 'onnx-inference',
  aliases: ['terratorch-inference', 'run-inference'],
  stage: 'model',
  message: 'Inferencing ..',
  inference: onnxParameters,
  plan,
  consumes: ['imputed_input_image'],
  produces: ['model_output_image'],
  parameters: onnxParameters
    .extend({ allow_private_hosts: z.boolean().default(false) })
    .refine((p) => p.overlap < p.tile, {
      path: ['overlap'],
      message: 'must be smaller than tile',
    }),
})
