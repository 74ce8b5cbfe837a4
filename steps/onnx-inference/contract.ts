import { z } from 'zod'
import { defineContract } from '../contract.ts'

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/** Where the weights are: beside the model's YAML, in a wheel of PyPI or at a URL, pinned by hash. */
export const weights = z.union([
  z.strictObject({
    file: z.string().regex(/^(?!.*\.\.)[\w.-]+(\/[\w.-]+)*$/, 'a path below models/'),
  }),
  z.strictObject({
    pypi: z.string().regex(/^[\w.-]+==[\w.]+$/, 'package==version'),
    path: z.string().describe('Path inside the wheel'),
    sha256,
  }),
  z.strictObject({
    url: z.url({ protocol: /^https?$/ }).max(8000),
    sha256,
  }),
])

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

export const contract = defineContract({
  name: 'onnx-inference',
  consumes: ['imputed_input_image'],
  produces: ['model_output_image'],
  parameters: onnxParameters
    .extend({ allow_private_hosts: z.boolean().default(false) })
    .refine((p) => p.overlap < p.tile, {
      path: ['overlap'],
      message: 'must be smaller than tile',
    }),
})
