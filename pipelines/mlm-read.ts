import { parse } from 'yaml'
import { z } from 'zod'
import { contractOf, type StepName, stepNames } from '../steps/contracts.ts'
import { invalid } from './errors.ts'
import { TASKS } from './mlm.ts'
import { layersOf, outputs } from './mlm-classes.ts'
import { saysNoMore } from './mlm-kept.ts'
import { statisticsOf, valueScaling } from './mlm-scaling.ts'
import { type ModelMetadata, modelMetadata, parseModel } from './model.ts'

const BANDS = 'name the bands that the model reads, in their order, such as ["B02", "B03"]'

const item = z.looseObject({
  type: z.literal('Feature'),
  id: z.string(),
  properties: z.looseObject({
    description: z.string().optional(),
    license: z.string().max(200).nullish(),
    'mlm:name': z.string(),
    'mlm:tasks': z.array(z.string()).min(1),
    'mlm:input': z
      .array(
        z.looseObject({
          bands: z
            .array(z.union([z.string(), z.looseObject({ name: z.string() })]), { error: BANDS })
            .min(1, BANDS),
          input: z.looseObject({
            shape: z.array(z.number()),
            dim_order: z.array(z.string()).nullish(),
          }),
          value_scaling: valueScaling,
        }),
      )
      .length(1, 'a model of one input'),
    'mlm:output': outputs,
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

/**
 * A model by its Item, which it keeps where that says more than geodag would write by itself.
 *
 * @throws PlanError `model.invalid` for an Item that does not say what running the model takes
 */
export const mlmToModel = (document: unknown): ModelMetadata => {
  const parsed = item.safeParse(document)
  if (!parsed.success) throw invalid('model.invalid', 'STAC MLM Item', parsed.error)
  const { properties, assets } = parsed.data
  const read = modelMetadata.safeParse(properties['geodag:model'] ?? plainModel(properties, assets))
  if (!read.success) throw invalid('model.invalid', 'STAC MLM Item', read.error)
  const { mlm: _, ...model } = read.data
  return saysNoMore(document, model)
    ? model
    : { ...model, mlm: document as Record<string, unknown> }
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

/** Pixels of a side of what the model takes; undefined where it takes any. */
const tileOf = ({ shape, dim_order }: Item['properties']['mlm:input'][number]['input']) => {
  const at = dim_order?.indexOf('width') ?? -1
  const tile = at >= 0 ? shape[at] : shape.at(-1)
  return tile !== undefined && tile >= 8 ? { tile } : {}
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
  const statistics = statisticsOf(input.value_scaling, input.bands.length)
  if (statistics === null)
    throw invalid(
      'model.invalid',
      'STAC MLM Item',
      `properties.mlm:input.0.value_scaling: has ${input.value_scaling!.length} entries for ${input.bands.length} bands: give one for all, or one a band`,
    )
  const display_name = properties['mlm:name'].replace(/[^A-Za-z0-9_-]+/g, '-')
  const [name = 'segmentation'] = task ?? []
  return {
    display_name,
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
    ...(name === 'segmentation'
      ? { geoserver_push: layersOf(properties['mlm:output'], properties['mlm:name']) }
      : {}),
    inference: {
      weights: { url: weights.href, sha256: digest },
      task: name,
      ...tileOf(input.input),
      ...statistics,
    },
  }
}
