import { z } from 'zod'
import { modelBands } from './bands.ts'
import { PlanError } from './errors.ts'
import type { PlanContext } from './plan-context.ts'

const numbers = z.array(z.number())
const side = z.number().int().min(8).max(4096)
const name = z.string().min(1).max(200)
const perBand = z.union([numbers, z.array(numbers)])

/** One raster that the model takes; bands count from 0 within one date. */
const input = z.strictObject({
  name: name.describe('Name of the graph’s input, and of the modality'),
  bands: z.array(z.union([z.string(), z.number()])).optional(),
  select: z.array(z.number().int().min(0)).optional().describe('Bands taken, in order; all'),
  scale: z.union([z.number(), numbers]).optional().describe('Multiplied before mean and std'),
  mean: perBand.nullish(),
  std: perBand.nullish(),
  suffix: z.string().nullish(),
})

const tiling = z.strictObject({
  h: side,
  w: side,
  h_stride: z.number().int().min(1),
  w_stride: z.number().int().min(1),
  delta: z.number().int().min(0).optional().describe('Pixels dropped at each side of a window'),
  average: z.boolean().optional(),
  blend: z.boolean().optional(),
  padding: z.enum(['reflect', 'replicate', 'circular']).optional(),
  batch: z.number().int().min(1).max(1024).optional(),
})

const output = z.enum(['prediction', 'probabilities', 'logits'])

/** How a model is run over a scene: the keys of a `runtime.json`, and the short ones for plain models. */
export const modelRun = {
  task: z
    .enum(['segmentation', 'regression', 'classification', 'multilabel', 'scalar_regression'])
    .optional(),
  tile: z
    .union([side, z.tuple([side, side])])
    .nullish()
    .describe('Window, pixels: side, or rows and columns; what the graph fixes wins'),
  overlap: z.number().int().min(0).optional().describe('Pixels that neighbours share'),
  batch: z.number().int().min(1).max(1024).nullish().describe('Windows at once'),
  blend: z.enum(['mean', 'ramp', 'terratorch']).optional(),
  activation: z.enum(['none', 'softmax', 'sigmoid']).optional(),
  threshold: z.number().optional().describe('Above it a one-channel score is class 1'),
  gives: z
    .enum(['logits', 'probabilities', 'classes'])
    .optional()
    .describe('What the graph’s output holds; found in the graph when left out'),
  output: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('Name of the graph’s output; the first that is a map when left out'),
  bands: z.array(z.string()).optional().describe('Class bands of the spec that the model reads'),
  channels_last: z.boolean().optional(),
  mean: numbers.optional().describe('Per band, after scaling'),
  std: z.array(z.number().positive()).optional(),
  inputs: z.array(input).min(1).max(16).optional(),
  joined: z.boolean().optional(),
  temporal: z.boolean().optional().describe('Bands are time-major: all of the first date first'),
  frames: z.number().int().min(1).max(64).optional(),
  coords: z.array(z.enum(['temporal_coords', 'location_coords'])).optional(),
  tiling: tiling.nullish(),
  nan_replace: z.number().nullish(),
  no_data_replace: z.number().nullish().describe('Another name of nan_replace'),
  output_on_inference: z.union([output, z.array(output).min(1)]).optional(),
  classes: z.array(z.string()).nullish(),
  num_classes: z.number().int().min(1).nullish(),
  memory_mb: z.number().int().min(64).optional().describe('Most memory; else what the machine has'),
}

/** What the plan adds for the program. */
export const modelRunPlanned = {
  gpu: z.boolean().optional(),
  dates: z.array(z.iso.date()).optional(),
  source_bands: z
    .array(z.array(z.number().int().min(0)))
    .optional()
    .describe('Per modality: position in the delivered scene of each band of the model input'),
}

const modelRunObject = z.object(modelRun)
export type ModelRun = z.output<typeof modelRunObject>

/** @throws PlanError `model.invalid` where mean or std is not one number a band, or band and date */
const checkStatistics = (block: ModelRun, bands: number): void => {
  for (const key of ['mean', 'std'] as const) {
    const given = block[key]?.length ?? 0
    // A model of several dates takes one number a band of each date; the program knows how many dates.
    const dated = given > 1 && bands % given === 0
    if (given && given !== bands && !dated)
      throw new PlanError(
        'model.invalid',
        `inference.${key}: ${given} values for ${bands} bands of model_input_data_spec: give one a band`,
      )
  }
}

/** @throws PlanError `model.invalid` for an overlap that would never advance */
const checkOverlap = ({ overlap, tile }: ModelRun): void => {
  const least = Math.min(...[tile ?? Infinity].flat())
  if (overlap !== undefined && overlap >= least)
    throw new PlanError(
      'model.invalid',
      `inference.overlap: ${overlap} must be below tile ${least}`,
    )
}

/** The parameters of a step that runs a model: its block, and what of the task the program needs. */
export const planModelRun = <B extends ModelRun>(block: B, context: PlanContext) => {
  const bands = modelBands(context.input_spec[0]!, block)
  checkStatistics(block, bands.length)
  checkOverlap(block)
  const { source, date, options } = context
  return {
    ...block,
    ...(options.gpu ? { gpu: true } : {}),
    ...(date && block.coords?.includes('temporal_coords') ? { dates: [date] } : {}),
    ...(source.kind === 'scene'
      ? {
          source_bands: context.input_spec.map((spec) =>
            modelBands(spec, block).map(({ index }) => index),
          ),
        }
      : {}),
  }
}
