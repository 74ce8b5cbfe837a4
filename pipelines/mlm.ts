import { z } from 'zod'
import { modelBands } from '../steps/bands.ts'
import type { ModelCard } from '../steps/plan-context.ts'
import type { ModelMetadata } from './model.ts'

const EXTENSIONS = ['mlm/v1.5.1', 'file/v2.1.0', 'classification/v1.1.0'].map(
  (name) => `https://stac-extensions.github.io/${name}/schema.json`,
)
const WORLD = [-180, -90, 180, 90] as const
export const TASKS: Readonly<Record<string, string>> = {
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
  checkpoint: z.looseObject({}).optional(),
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
    .parse(block.weights ?? block.checkpoint ?? {})
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

/** Names of the bands that the model reads: of the first modality, without a class band for masks. */
const bandsOf = (model: ModelMetadata): string[] =>
  modelBands(model.model_input_data_spec[0]!, model.inference).map((band) => band.band_name)

/** The extension's words for a model: what it is, what it takes and gives. */
const wordsOf = (model: ModelMetadata) => {
  const block = run.parse(model.inference ?? {})
  const bands = bandsOf(model)
  const [height, width] = Array.isArray(block.tile)
    ? block.tile
    : [block.tile ?? -1, block.tile ?? -1]
  const tasks = [TASKS[block.task] ?? 'semantic-segmentation']
  const classes = classesOf(model)
  return {
    // The extension wants the bands that an input names described: here by STAC 1.1's own word.
    bands: bands.map((name) => ({ name })),
    'mlm:name': model.display_name,
    'mlm:architecture': 'unknown',
    'mlm:framework': block.checkpoint ? 'PyTorch' : 'ONNX',
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
  }
}

const weightsAsset = (model: ModelMetadata) => {
  const { href, digest } = weightsOf(run.parse(model.inference ?? {}))
  return {
    ...{ href, title: 'Weights', roles: ['mlm:model', 'mlm:weights'] },
    ...{ type: 'application/octet-stream; framework=onnx', 'mlm:artifact_type': 'onnx' },
    ...(digest ? { 'file:checksum': `1220${digest}` } : {}),
    bands: bandsOf(model).map((name) => ({ name })),
  }
}

/** What the Item of a task says of the model that made it; null for a pipeline without one. */
export const modelCard = (model: ModelMetadata): ModelCard | null =>
  model.inference && model.model_input_data_spec[0]
    ? { properties: wordsOf(model), weights: weightsAsset(model) }
    : null

/**
 * A model as a STAC Item of the Machine Learning Model extension 1.5.1, in geodag's own words.
 *
 * The whole metadata stand in `geodag:model` beside the extension's words, so that the way back
 * loses nothing. Pure: the same model gives the same Item.
 */
export const ownItem = ({ mlm: _, ...model }: ModelMetadata) => ({
  type: 'Feature' as const,
  stac_version: '1.1.0',
  stac_extensions: EXTENSIONS,
  id: model.display_name,
  bbox: WORLD,
  geometry: {
    type: 'Polygon' as const,
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
    ...wordsOf(model),
    'geodag:model': model,
  },
  links: [],
  assets: { weights: weightsAsset(model) },
})
