import { z } from 'zod'
import { classBandOf, encodings, modelBands } from '../bands.ts'
import { defineContract } from '../contract.ts'
import { modalityName } from '../modality.ts'
import type { PlanContext } from '../plan-context.ts'
import { maskFromUrl, readPostProcessing, regularization } from '../post-processing.ts'

const byte = z.number().int().min(0).max(255)
const index = z.number().int().min(0)
const words = z.record(z.string(), z.unknown())

const styled = z.object({
  segmentation: z.array(
    z.object({
      color: z.string().regex(/^#[0-9a-f]{6}$/i),
      opacity: z.coerce.number().default(0),
      quantity: z.coerce.number(),
      // A long name must not cost all classes their colours.
      label: z
        .string()
        .transform((text) => text.slice(0, 200))
        .nullish(),
    }),
  ),
})

/** Label, colour and opacity of each value, from the style of the layer that shows the prediction. */
const classesOf = ({ layers }: PlanContext) => {
  const entries = layers
    .filter((entry) => entry.filepath_key.startsWith('model_output'))
    .map((entry) => styled.safeParse(entry.geoserver_style).data?.segmentation)
    .find((found) => found !== undefined)
  const part = (color: string, at: number) => parseInt(color.slice(at, at + 2), 16)
  return Object.fromEntries(
    (entries ?? []).map(({ color, opacity, quantity, label }) => [
      String(quantity),
      { label: label ?? '', rgb: [part(color, 1), part(color, 3), part(color, 5)], opacity },
    ]),
  )
}

/** The class band of a raster of its own, else that of the scene. */
const maskBand = (
  { input_spec, mask_spec }: PlanContext,
  placeOf: (band: { index: number; band_name: string }) => number,
) => {
  if (mask_spec) {
    const { index, encoding } = classBandOf(mask_spec)!
    return { index, encoding, modality: modalityName(mask_spec, input_spec.length) }
  }
  const found = classBandOf(input_spec[0]!)
  return found && { index: placeOf(found), encoding: found.encoding }
}

const plan = (context: PlanContext) => {
  const spec = context.input_spec[0]!
  const { regularization, polygons, ...masks } = readPostProcessing(context.post_processing)
  // A catalogue's step writes the bands in the order of the spec, whatever their index was.
  const placeOf = (band: { index: number; band_name: string }) =>
    context.source.kind === 'items'
      ? spec.bands.findIndex((other) => other.band_name === band.band_name)
      : band.index
  const rgb = (['R', 'G', 'B'] as const).map((c) => spec.bands.find((b) => b.RGB_band === c))
  return {
    date: context.date,
    rgb: rgb.every((band) => band !== undefined) ? rgb.map((band) => placeOf(band)) : null,
    bands: modelBands(spec, context.inference).map(placeOf),
    masks,
    mask_band: maskBand(context, placeOf),
    water_values: context.options.masks?.permanentWaterValues ?? [1],
    regularization,
    ...(polygons === undefined ? {} : { polygons }),
    classes: classesOf(context),
    model: { name: context.model, card: context.model_card ?? null },
  }
}

/** Masks, outlines, layers, statistics, picture, Item and archive; band indexes count from 0. */
export const contract = defineContract({
  name: 'postprocess-generic',
  stage: 'postprocess',
  message: 'Post-processing results ..',
  plan,
  consumes: ['original_input_image', 'model_output_image'],
  produces: [
    'model_input_original_image_rgb',
    'model_output_image_masked',
    'model_output_regularized_image',
    'model_output_regularized_vector',
    'model_output_classes',
    'model_output_classes_names',
    'model_output_vector',
    'model_output_geojson',
    'statistics',
    'preview',
    'item',
    'archive',
  ],
  parameters: z.strictObject({
    date: z.iso.date().nullable().default(null),
    rgb: z.tuple([index, index, index]).nullable(),
    bands: z
      .array(index)
      .default([])
      .describe('Indexes of the bands that the model reads: values, whatever the file calls them'),
    masks: z
      .strictObject({
        cloud_masking: z.boolean(),
        snow_ice_masking: z.boolean(),
        permanent_water_masking: z.boolean(),
        ocean_masking: z.boolean(),
        mask_from_url: maskFromUrl.nullable(),
      })
      .partial()
      .default({}),
    mask_band: z
      .strictObject({ index, encoding: z.enum(encodings), modality: z.string().optional() })
      .nullable()
      .default(null),
    water_values: z.array(z.number().int()).min(1).default([1]),
    regularization: regularization.nullable().default(null),
    polygons: z.boolean().optional().describe('Absent: up to 36,000,000 pixels'),
    polygon_tolerance_pixels: z.number().min(0).default(1),
    classes: z
      .record(
        z.string(),
        z.strictObject({
          label: z.string().default(''),
          rgb: z.tuple([byte, byte, byte]),
          opacity: z.number(),
        }),
      )
      .default({}),
    model: z
      .strictObject({
        name: z.string(),
        card: z
          .strictObject({ properties: words, weights: words })
          .nullable()
          .default(null)
          .describe("The model in STAC MLM's words, for the Item"),
      })
      .optional(),
  }),
})
