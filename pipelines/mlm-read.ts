import { parse } from 'yaml'
import { z } from 'zod'
import { contractOf, type StepName, stepNames } from '../steps/contracts.ts'
import { invalid } from './errors.ts'
import { TASKS } from './mlm.ts'
import { type ModelMetadata, modelMetadata, parseModel } from './model.ts'

const item = z.looseObject({
  type: z.literal('Feature'),
  id: z.string(),
  properties: z.looseObject({
    description: z.string().optional(),
    license: z.string().optional(),
    'mlm:name': z.string(),
    'mlm:tasks': z.array(z.string()).min(1),
    'mlm:input': z
      .array(
        z.looseObject({
          bands: z.array(z.union([z.string(), z.looseObject({ name: z.string() })])).min(1),
          input: z.looseObject({ shape: z.array(z.number()) }),
          value_scaling: z
            .array(z.looseObject({ mean: z.number().optional(), stddev: z.number().optional() }))
            .nullish(),
        }),
      )
      .length(1, 'a model of one input'),
    'geodag:model': z.unknown().optional(),
  }),
  assets: z.record(
    z.string(),
    z.looseObject({
      href: z.string(),
      roles: z.array(z.string()).default([]),
      'file:checksum': z.string().optional(),
    }),
  ),
})

/** @throws PlanError `model.invalid` for an Item that does not say what running the model takes */
export const mlmToModel = (document: unknown): ModelMetadata => {
  const parsed = item.safeParse(document)
  if (!parsed.success) throw invalid('model.invalid', 'STAC MLM Item', parsed.error)
  const { properties, assets } = parsed.data
  const read = modelMetadata.safeParse(properties['geodag:model'] ?? plainModel(properties, assets))
  if (!read.success) throw invalid('model.invalid', 'STAC MLM Item', read.error)
  return read.data
}

/** Whether a document is an Item rather than the metadata of a model themselves. */
export const isItem = (document: unknown): boolean =>
  (document as { type?: unknown } | null | undefined)?.type === 'Feature'

/** A model's YAML, or its STAC MLM Item. @throws PlanError `model.invalid`, naming each field */
export const readModelText = (text: string, name: string): ModelMetadata => {
  let document: unknown
  try {
    document = parse(text)
  } catch {
    document = undefined // parseModel says what is wrong
  }
  return isItem(document) ? mlmToModel(document) : parseModel(text, name)
}

type Item = z.output<typeof item>

/** A scene in, the model with weights, what follows it: the steps that the plan does not add by itself. */
const plainSteps = (): StepName[] => {
  const own = stepNames.filter((name) => contractOf(name).wanted === undefined)
  const of = (stage: string, fits: (name: StepName) => boolean = () => true) =>
    own.filter((name) => contractOf(name).stage === stage && fits(name)).slice(0, 1)
  return [
    ...of('input', (name) => contractOf(name).sources?.includes('scene') ?? false),
    ...of('model', (name) => contractOf(name).inference !== undefined),
    ...of('postprocess'),
    ...of('publish'),
  ]
}

/** The metadata of a model that another registry wrote down: a plain pipeline over an ONNX graph. */
const plainModel = (properties: Item['properties'], assets: Item['assets']): unknown => {
  const input = properties['mlm:input'][0]!
  const weights = Object.values(assets).find(({ roles }) => roles.includes('mlm:model'))
  if (!weights)
    throw invalid('model.invalid', 'STAC MLM Item', 'assets: none has the role mlm:model')
  const digest = /^1220([0-9a-f]{64})$/.exec(weights['file:checksum'] ?? '')?.[1]
  if (!digest)
    throw invalid(
      'model.invalid',
      'STAC MLM Item',
      'assets: the weights need a file:checksum, the SHA-256 of the file as a multihash: 1220 and 64 hex digits',
    )
  const task = Object.entries(TASKS).find(([, word]) => properties['mlm:tasks'].includes(word))
  const scaling = input.value_scaling ?? []
  const numbers = (key: 'mean' | 'stddev') =>
    scaling.map((entry) => entry[key]).filter((value) => value !== undefined)
  const tile = input.input.shape.at(-1)
  return {
    display_name: properties['mlm:name'].replace(/[^A-Za-z0-9_-]+/g, '-'),
    description: properties.description ?? '',
    ...(properties.license ? { licence: properties.license } : {}),
    pipeline_steps: plainSteps().map((process_id, step_number) => ({ process_id, step_number })),
    model_input_data_spec: [
      {
        bands: input.bands.map((band, index) => ({
          ...{ index, band_name: typeof band === 'string' ? band : band.name },
        })),
      },
    ],
    inference: {
      weights: { url: weights.href, sha256: digest },
      task: task?.[0] ?? 'segmentation',
      ...(tile !== undefined && tile >= 8 ? { tile } : {}),
      ...(scaling.length ? { mean: numbers('mean'), std: numbers('stddev') } : {}),
    },
  }
}
