import { z } from 'zod'
import { classBandOf, modelBands } from '../bands.ts'
import { defineContract } from '../contract.ts'
import { PlanError } from '../errors.ts'
import type { InputSpec, ModalityItems, PlanContext } from '../plan-context.ts'

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/, 'letters, digits, . _ -')

/** One band of an item, as `FrozenBand` of connectors/item.ts has it. */
const frozenBand = z.strictObject({
  href: z.string().max(8192).describe('https, or s3 that the run gets signed; no token'),
  file_band: z.number().int().min(1).max(256),
  scale: z.number().refine((scale) => scale !== 0, 'must not be 0'),
  offset: z.number(),
  nodata: z.number().nullable(),
  class_band: z.boolean(),
  epsg: z.number().int().nullable(),
  transform: z.array(z.number()).nullable(),
  shape: z.array(z.number().int()).nullable(),
  gsd: z.number().nullable(),
})

/** One item, as `FrozenItem` of connectors/item.ts has it. */
const frozenItem = z.strictObject({
  id: z.string(),
  collection: z.string(),
  datetime: z.string(),
  cloud_cover: z.number().nullable(),
  tile: z.string().nullable(),
  baseline: z.string().nullable(),
  platform: z.string().nullable(),
  orbit: z.string().nullable(),
  footprint: z.looseObject({ type: z.enum(['Polygon', 'MultiPolygon']), coordinates: z.unknown() }),
  bands: z.record(z.string(), frozenBand),
  warnings: z.array(z.string()).default([]),
})

const grid = z
  .strictObject({
    epsg: z.number().int().positive(),
    transform: z.tuple([z.number(), z.number(), z.number(), z.number(), z.number(), z.number()]),
    width: z.number().int().positive(),
    height: z.number().int().positive(),
  })
  .refine(({ width, height }) => width * height <= 400_000_000, 'at most 400,000,000 pixels')
  .refine(({ transform: [, wide, , , , high] }) => wide > 0 && high < 0, 'north must be up')

const band = z.strictObject({
  band_name: z.string().describe("Key of the items' bands; of the request's in their order"),
  scaling_factor: z
    .number()
    .refine((factor) => factor !== 0, 'must not be 0')
    .default(1)
    .describe('Multiplied with the pixel, in the model input'),
  offset: z.number().default(0).describe('Added after that'),
  class_band: z.boolean().default(false).describe('SCL, Fmask, QA: for masks, never data'),
  model: z.boolean().default(true).describe('Goes into the model input'),
})

/** One modality of a task: frozen items, most wanted first, on a grid. */
const modality = z
  .strictObject({
    name: name.describe('Tag in file names and artifact keys'),
    collection: z.string(),
    date: z.iso.date().nullable().default(null).describe('Day of the file name'),
    file_suffix: name.nullable().default(null),
    hosts: z.array(z.string()).default([]).describe('Empty: any public https host'),
    driver: z.enum(['GTiff', 'JP2OpenJPEG']).default('GTiff'),
    grid,
    items: z.array(frozenItem).min(1).max(254).describe('The first valid pixel wins'),
    process: z
      .strictObject({ url: z.url({ protocol: /^https?$/ }), body: z.record(z.string(), z.json()) })
      .nullable()
      .default(null)
      .describe("Sentinel Hub's process request, instead of reading the items' files"),
    bands: z.array(band).min(1).max(64),
    resampling: z.enum(['nearest', 'bilinear', 'cubic', 'average']).default('nearest'),
    radiometry: z.string().default('as delivered'),
    transform: z.enum(['to_decibels']).nullable().default(null).describe('Of the first two bands'),
  })
  .refine(({ bands }) => bands.some((one) => one.model), 'no band goes into the model input')

/** Fields of a model's input spec that the reading of a catalogue heeds, beside its bands. */
const specFields = z.looseObject({
  file_suffix: z.string().optional(),
  transform: z.string().optional(),
  resampling: z.string().optional(),
  align_dates: z.union([z.string(), z.boolean()]).optional(),
})

const modalityOf = (
  context: PlanContext,
  spec: InputSpec,
  found: ModalityItems,
  first: ModalityItems,
) => {
  if (context.source.kind !== 'items') throw new Error('a scene has no items')
  const { file_suffix, transform, resampling, align_dates } = specFields.parse(spec)
  const inModel = new Set(modelBands(spec, context.inference).map((one) => one.band_name))
  const classes = classBandOf(spec)?.band_name
  const aligned = String(align_dates).toLowerCase() === 'true'
  return {
    name: found.name,
    collection: found.collection,
    date: aligned ? first.date : found.date,
    file_suffix: file_suffix || null,
    hosts: found.reading.hosts,
    driver: found.reading.driver,
    grid: context.source.grid,
    items: found.items,
    process: found.process ?? null,
    bands: spec.bands.map(({ band_name, scaling_factor, offset }) => ({
      band_name,
      scaling_factor,
      ...(offset === undefined ? {} : { offset }),
      class_band: band_name === classes,
      model: inModel.has(band_name),
    })),
    ...(resampling === undefined ? {} : { resampling }),
    radiometry: found.radiometry,
    transform: transform || null,
  }
}

/**
 * What a plan may ask of the step: the frozen items of one day, and the grid that they are put on.
 *
 * Both files have the bands in the order of the spec; a band that is for masks only is in the scene
 * and not in the model input.
 */
export const contract = defineContract({
  name: 'data-connector',
  aliases: ['terrakit-data-fetch', 'sentinelhub-connector'],
  stage: 'input',
  message: 'Preprocessing started: downloading and preparing data.',
  sources: ['items'],
  consumes: [],
  produces: ['original_input_image', 'imputed_input_image'],
  parameters: z
    .strictObject({
      task_id: name.nullable().default(null).describe('First part of the file names'),
      allow_private_hosts: z
        .boolean()
        .default(false)
        .describe('Only for tests and closed networks'),
      max_bytes: z.number().int().positive().default(4_000_000_000),
      threads: z.number().int().min(1).max(8).default(2).describe('Never changes the bytes'),
      clip: z
        .looseObject({ type: z.enum(['Polygon', 'MultiPolygon']), coordinates: z.array(z.json()) })
        .nullable()
        .default(null)
        .describe('GeoJSON, EPSG:4326: pixels outside have no data'),
      modalities: z.array(modality).min(1).max(8),
    })
    .refine(
      ({ modalities }) => new Set(modalities.map((one) => one.name)).size === modalities.length,
      'each modality needs a name of its own',
    ),
  reads: (parameters) =>
    (parameters as { modalities: z.output<typeof modality>[] }).modalities.map((one) => ({
      collection: one.collection,
      hrefs: one.items.flatMap((item) => Object.values(item.bands).map(({ href }) => href)),
    })),
  plan: (context) => {
    const { source, input_spec, options } = context
    if (source.kind !== 'items' || source.modalities.length !== input_spec.length)
      throw new PlanError(
        'request.modalities',
        'model_input_data_spec: each entry needs its own items: name connector and collection',
      )
    const [first] = source.modalities
    return {
      // No task id: the same items on the same grid are the same file, in every inference.
      task_id: null,
      allow_private_hosts:
        (options.allowPrivateHosts ?? false) ||
        source.modalities.some((found) => found.reading.allow_private_hosts),
      clip: source.clip ?? null,
      modalities: source.modalities.map((found, n) =>
        modalityOf(context, input_spec[n]!, found, first!),
      ),
    }
  },
})
