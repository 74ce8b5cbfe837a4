import { parse } from 'yaml'
import { z } from 'zod'
import { PlanError } from '../errors.ts'
import { MODEL_FILES } from '../weights.ts'
import { contract } from './contract.ts'

/** Larger than any config that a training writes; a bound for the parser. */
const LARGEST_CONFIG = 1024 * 1024

const bands = z.array(
  z.union([z.string(), z.number(), z.tuple([z.number().int(), z.number().int()])]),
)
const perModality = z.record(z.string(), bands)
const either = z.union([bands, perModality]).nullish()

// Only what the metadata are made of; the export in the sandbox reads the rest.
const config = z.looseObject({
  model: z.looseObject({
    class_path: z.string(),
    init_args: z.looseObject({
      class_names: z.array(z.string()).nullish(),
      model_args: z
        .looseObject({
          num_classes: z.number().int().nullish(),
          backbone_bands: z
            .union([z.array(z.unknown()), z.record(z.string(), z.unknown())])
            .nullish(),
          backbone_num_frames: z.number().int().min(1).max(1000).nullish(),
        })
        .nullish(),
    }),
  }),
  data: z.looseObject({
    init_args: z.looseObject({
      dataset_bands: either,
      predict_dataset_bands: either,
      modalities: z.array(z.string()).nullish(),
      means: z.unknown().optional(),
      expand_temporal_dimension: z.boolean().nullish(),
    }),
  }),
})
type Config = z.output<typeof config>

const COLOURS = [
  '#808080',
  '#4589FF',
  '#FA4D56',
  '#42BE65',
  '#F1C21B',
  '#A56EFF',
  '#08BDBA',
  '#FF7EB6',
]

/** A pair of numbers is a range, both ends included. */
const namesOf = (listed: z.output<typeof bands>): string[] =>
  listed.flatMap((band) =>
    Array.isArray(band)
      ? Array.from({ length: Math.max(0, band[1] - band[0] + 1) }, (_, n) => String(band[0] + n))
      : [String(band)],
  )

const bad = (name: string, why: string): PlanError =>
  new PlanError('model.bad_config', `${name}: ${why}`)

const read = (text: string, name: string): Config => {
  if (text.length > LARGEST_CONFIG) throw bad(name, 'is larger than 1 MiB: give TerraTorch’s YAML')
  let document: unknown
  try {
    document = parse(text, { maxAliasCount: 1000 })
  } catch (error) {
    throw bad(name, (error as Error).message)
  }
  const parsed = config.safeParse(document)
  if (!parsed.success)
    throw bad(
      name,
      parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
    )
  return parsed.data
}

const bandsOf = ({ data, model }: Config, modality: string | undefined): string[] => {
  const { dataset_bands, predict_dataset_bands, means } = data.init_args
  const pick = (given: z.output<typeof either>) =>
    Array.isArray(given) ? given : modality ? given?.[modality] : undefined
  const listed = pick(predict_dataset_bands) ?? pick(dataset_bands)
  if (listed?.length) return namesOf(listed)
  // Without names terratorch takes all bands of the file: as many as the network or its means.
  const own = (given: unknown): unknown =>
    modality && !Array.isArray(given) ? (given as Record<string, unknown>)?.[modality] : given
  const counted = [model.init_args.model_args?.backbone_bands, means].map(own).find(Array.isArray)
  return (counted as unknown[] | undefined)?.map((_, n) => String(n)) ?? []
}

const RGB: readonly (readonly [RegExp, string])[] = [
  [/^(red|b0?4)$/i, 'R'],
  [/^(green|b0?3)$/i, 'G'],
  [/^(blue|b0?2)$/i, 'B'],
]
const rgbOf = (band: string) => {
  const found = RGB.find(([name]) => name.test(band))
  return found ? { RGB_band: found[1] } : {}
}

/** A file of several dates has all bands of the first, then all of the second. */
const everyFrame = ({ data, model }: Config, names: string[]): string[] => {
  const { expand_temporal_dimension } = data.init_args
  const frames = expand_temporal_dimension ? model.init_args.model_args?.backbone_num_frames : 1
  return Array.from({ length: frames ?? 1 }, (_, frame) =>
    names.map((name) => (frame ? `${name}_${frame + 1}` : name)),
  ).flat()
}

const specOf = (names: readonly string[], modality: string | undefined) => ({
  connector: 'file',
  collection: 'file',
  bands: names.map((band_name, index) => ({
    ...{ index, band_name, scaling_factor: 1 },
    ...rgbOf(band_name),
  })),
  ...(modality ? { modality_tag: modality } : {}),
})

const styleOf = ({ model }: Config) => {
  const { class_names, model_args } = model.init_args
  const count = class_names?.length ?? model_args?.num_classes ?? 0
  if (!/SemanticSegmentation/.test(model.class_path) || count < 1 || count > 256) return []
  const segmentation = Array.from({ length: count }, (_, quantity) => ({
    color: COLOURS[quantity % COLOURS.length],
    label: class_names?.[quantity] ?? `class ${quantity}`,
    opacity: quantity === 0 ? 0 : 1,
    quantity,
  }))
  return [
    {
      workspace: 'geofm',
      layer_name: 'pred',
      display_name: 'Prediction',
      filepath_key: 'model_output_image',
      file_suffix: '',
      z_index: 1,
      visible_by_default: 'True',
      geoserver_style: { segmentation },
    },
  ]
}

/**
 * The metadata of a model that is nothing but a TerraTorch config and a checkpoint, for scenes whose
 * bands lie in the order of the config.
 *
 * @throws PlanError `model.bad_config`, naming the field
 */
export const metadataOfConfig = (text: string, name = 'config') => {
  const known = read(text, name)
  const modalities = known.data.init_args.modalities ?? [undefined]
  const specs = modalities.map((modality) =>
    specOf(everyFrame(known, bandsOf(known, modality)), modality),
  )
  if (specs.some((spec) => spec.bands.length === 0))
    throw bad(
      name,
      'data.init_args.dataset_bands is missing: name the bands of the file, in order, or describe the model in a YAML of its own',
    )
  return {
    display_name: 'terratorch',
    pipeline_steps: [
      { process_id: 'url-connector', step_number: 0 },
      { process_id: contract.name, step_number: 1 },
      { process_id: 'postprocess-generic', step_number: 2 },
    ],
    model_input_data_spec: specs,
    geoserver_push: styleOf(known),
    inference: {
      config: { file: MODEL_FILES.config },
      checkpoint: { file: MODEL_FILES.checkpoint },
    },
  }
}
