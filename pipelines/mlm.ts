import { parse } from 'yaml'
import { z } from 'zod'
import { contractOf, type StepName, stepNames } from '../steps/contracts.ts'
import { type ModelMetadata, modelMetadata, parseModel } from './model.ts'
import { invalid } from './errors.ts'

const EXTENSIONS = ['mlm/v1.5.1', 'file/v2.1.0', 'raster/v1.1.0'].map(
  (name) => `https://stac-extensions.github.io/${name}/schema.json`,
)
const WORLD = [-180, -90, 180, 90] as const
const TASKS: Readonly<Record<string, string>> = {
  segmentation: 'semantic-segmentation',
  regression: 'regression',
  classification: 'classification',
  multilabel: 'multilabel-classification',
  scalar_regression: 'regression',
}

const run = z.looseObject({
  task: z.string().default('segmentation'),
  tile: z.union([z.number(), z.tuple([z.number(), z.number()])]).nullish(),
  mean: z.array(z.number()).nullish(),
  std: z.array(z.number()).nullish(),
  weights: z.looseObject({}).optional(),
})

/** Where the weights are, as a URL or URN, and their digest where it is known. */
const weightsOf = (block: z.output<typeof run>): { href: string; digest: string | undefined } => {
  const from = z
    .looseObject({
      url: z.string(),
      pypi: z.string(),
      path: z.string(),
      file: z.string(),
      sha256: z.string(),
    })
    .partial()
    .parse(block.weights ?? {})
  const wheel = from.pypi && `pkg:pypi/${from.pypi.replace('==', '@')}#${from.path}`
  return { href: from.url ?? wheel ?? `./${from.file ?? 'model.onnx'}`, digest: from.sha256 }
}

const statisticsOf = (mean?: readonly number[] | null, std?: readonly number[] | null) =>
  mean && std
    ? {
        value_scaling: mean.map((value, n) => ({
          ...{ type: 'z-score', mean: value, stddev: std[n] ?? 1 },
        })),
      }
    : {}

const classesOf = (model: ModelMetadata) => {
  const style = z
    .looseObject({
      segmentation: z.array(
        z.looseObject({ label: z.string(), quantity: z.coerce.number(), color: z.string() }),
      ),
    })
    .safeParse(
      model.geoserver_push.find((entry) => entry.filepath_key.startsWith('model_output'))
        ?.geoserver_style,
    )
  return (style.data?.segmentation ?? []).map(({ label, quantity, color }) => ({
    value: quantity,
    name: label.replace(/[^0-9A-Za-z-]+/g, '_'),
    ...{ title: label, description: label, color_hint: color.slice(1).toUpperCase() },
  }))
}

/**
 * A model as a STAC Item of the Machine Learning Model extension 1.5.1.
 *
 * The whole metadata stand in `geodag:model` beside the extension's words, so that the way back
 * loses nothing. Pure: the same model gives the same Item.
 */
export const modelToMlm = (model: ModelMetadata) => {
  const block = run.parse(model.inference ?? {})
  const bands = model.model_input_data_spec[0]!.bands.map((band) => band.band_name)
  const [height, width] = Array.isArray(block.tile)
    ? block.tile
    : [block.tile ?? -1, block.tile ?? -1]
  const { href, digest } = weightsOf(block)
  const tasks = [TASKS[block.task] ?? 'semantic-segmentation']
  const classes = classesOf(model)
  return {
    type: 'Feature' as const,
    stac_version: '1.1.0',
    stac_extensions: EXTENSIONS,
    id: model.display_name,
    bbox: WORLD,
    geometry: {
      type: 'Polygon',
      coordinates: [
        [
          [-180, -90],
          [180, -90],
          [180, 90],
          [-180, 90],
          [-180, -90],
        ],
      ],
    },
    properties: {
      datetime: null,
      start_datetime: '1970-01-01T00:00:00Z',
      end_datetime: '9999-12-31T23:59:59Z',
      description: model.description || model.display_name,
      ...(model.licence ? { license: model.licence } : {}),
      'mlm:name': model.display_name,
      'mlm:architecture': 'unknown',
      'mlm:framework': 'ONNX',
      'mlm:tasks': tasks,
      'mlm:input': [
        {
          name: 'image',
          bands,
          input: {
            ...{ shape: [-1, bands.length, height, width], data_type: 'float32' },
            dim_order: ['batch', 'bands', 'height', 'width'],
          },
          ...statisticsOf(block.mean, block.std),
          pre_processing_function: null,
        },
      ],
      'mlm:output': [
        {
          ...{ name: 'prediction', tasks },
          result: {
            ...{ shape: [-1, height, width], data_type: classes.length ? 'int16' : 'float32' },
            dim_order: ['batch', 'height', 'width'],
          },
          ...(classes.length ? { 'classification:classes': classes } : {}),
          post_processing_function: null,
        },
      ],
      'geodag:model': model,
    },
    links: [],
    assets: {
      weights: {
        ...{ href, title: 'Weights', roles: ['mlm:model', 'mlm:weights'] },
        ...{ type: 'application/octet-stream; framework=onnx', 'mlm:artifact_type': 'onnx' },
        ...(digest ? { 'file:checksum': `1220${digest}` } : {}),
        // The extension's schema wants the named bands of a model in raster's words of version 1.
        'raster:bands': bands.map((name) => ({ name })),
      },
    },
  }
}

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
