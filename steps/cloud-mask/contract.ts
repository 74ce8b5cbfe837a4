import { z } from 'zod'
import { classBandOf, modelBands } from '../bands.ts'
import { defineContract } from '../contract.ts'
import { modelRun } from '../model-run.ts'
import type { InputSpec, PlanRequest } from '../plan-context.ts'
import { readPostProcessing } from '../post-processing.ts'
import { weights } from '../weights.ts'

/** Names that a spec gives the six bands, lower case; numbers as Sentinel-2 has them. */
const SENTINEL_2 = [
  ['blue', 'b02', 'b2'],
  ['green', 'b03', 'b3'],
  ['red', 'b04', 'b4'],
  ['nir', 'b08', 'b8', 'nir08', 'nir_narrow', 'nir_broad', 'b8a'],
  ['swir16', 'swir1', 'swir_1', 'b11'],
  ['swir22', 'swir2', 'swir_2', 'b12'],
]
/** Landsat's OLI and HLS L30 number them otherwise. */
const LANDSAT = [
  ...SENTINEL_2.slice(0, 3),
  ['nir', 'nir08', 'b05', 'b5'],
  ['swir16', 'swir1', 'swir_1', 'b06', 'b6'],
  ['swir22', 'swir2', 'swir_2', 'b07', 'b7'],
]

/** Positions in the model input of blue, green, red, nir, swir16, swir22; null where one is missing. */
const sixBands = (spec: InputSpec, inference: unknown): number[] | null => {
  const bands = modelBands(spec, inference).map((band) => band.band_name.toLowerCase())
  const names = /l30|landsat/i.test(spec.collection ?? '') ? LANDSAT : SENTINEL_2
  const found = names.map((wanted) => {
    const name = wanted.find((candidate) => bands.includes(candidate))
    return name === undefined ? -1 : bands.indexOf(name)
  })
  return found.every((position) => position >= 0) ? found : null
}

// ukis-csmask 1.0.0 (DLR, Apache-2.0): clear, cloud, shadow; weights, mean and std out of its wheel.
const CSMASK = {
  l1c: {
    sha256: 'aa79e9a0f02ff8e0243d93771d1daf6a8d1166b7ac06c3771560b83367c6c573',
    mean: [0.27552253, 0.25566444, 0.26980153, 0.3343122, 0.20851292, 0.15826508],
    std: [0.24488002, 0.22757471, 0.25371522, 0.23213787, 0.14873883, 0.12604216],
  },
  l2a: {
    sha256: 'd11c530978637ca420eedc40791c62bf78997dd39e1201777e2527e4bd94904e',
    mean: [0.26681778, 0.27799085, 0.28811995, 0.36494744, 0.22257099, 0.1785904],
    std: [0.33637598, 0.3125456, 0.31114846, 0.27260706, 0.16653667, 0.14328985],
  },
} as const

const isTopOfAtmosphere = (spec: InputSpec): boolean => /l1c|l1tp|toa/i.test(spec.collection ?? '')

const wanted = ({ post_processing, input_spec, mask_spec, inference }: PlanRequest): boolean =>
  readPostProcessing(post_processing).cloud_masking &&
  mask_spec === undefined &&
  classBandOf(input_spec[0]!) === null &&
  sixBands(input_spec[0]!, inference) !== null

/** Clouds and their shadows by a model, for a scene that brings no class band. */
export const contract = defineContract({
  name: 'cloud-mask',
  stage: 'model',
  message: 'Looking for clouds ..',
  wanted,
  plan: (context) => {
    const spec = context.input_spec[0]!
    const level = isTopOfAtmosphere(spec) ? 'l1c' : 'l2a'
    const { sha256, mean, std } = CSMASK[level]
    return {
      bands: sixBands(spec, context.inference),
      weights: { pypi: 'ukis-csmask==1.0.0', path: `ukis_csmask/model_6b_${level}.onnx`, sha256 },
      ...{ tile: 256, overlap: 51, batch: 1, blend: 'ramp', activation: 'softmax' },
      ...{ mean, std },
      ...(context.options.gpu ? { gpu: true } : {}),
    }
  },
  consumes: ['imputed_input_image'],
  produces: ['cloud_mask_image'],
  parameters: z.strictObject({
    bands: z
      .array(z.number().int().min(0))
      .length(6)
      .describe('Positions in the model input of blue, green, red, nir, swir16, swir22'),
    weights,
    ...z.object(modelRun).pick({
      ...{ tile: true, overlap: true, batch: true, blend: true, activation: true },
      ...{ mean: true, std: true },
    }).shape,
    gpu: z.boolean().optional(),
  }),
})
