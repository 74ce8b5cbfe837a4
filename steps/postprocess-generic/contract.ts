import { z } from 'zod'
import { classBandOf, encodings, modelBands } from '../bands.ts'
import { defineContract } from '../contract.ts'
import { modalityName } from '../modality.ts'
import type { PlanContext } from '../plan-context.ts'
import { maskFromUrl, readPostProcessing, regularization } from '../post-processing.ts'

const byte = z.number().int().min(0).max(255)
const index = z.number().int().min(0)
const words = z.record(z.string(), z.unknown())

const hex = z.string().regex(/^#[0-9a-f]{6}$/i)
const rgbOf = (color: string): [number, number, number] => {
  const part = (at: number) => parseInt(color.slice(at, at + 2), 16)
  return [part(1), part(3), part(5)]
}

// A long name must not cost all classes their colours.
const label = z
  .string()
  .transform((text) => text.slice(0, 200))
  .nullish()
const styled = z.object({
  segmentation: z.array(
    z.object({
      color: hex,
      opacity: z.coerce.number().default(0),
      quantity: z.coerce.number(),
      label,
    }),
  ),
})

const graded = z.object({
  regression: z
    .array(
      z.object({
        color: hex,
        quantity: z.coerce.number(),
        label,
      }),
    )
    .min(1),
})

/** Styles of the layers that show the prediction. */
const stylesOf = ({ layers }: PlanContext, keys: RegExp): unknown[] =>
  layers.filter((entry) => keys.test(entry.filepath_key)).map((entry) => entry.geoserver_style)

/** Label, colour and opacity of each value, from the style of the layer that shows the prediction. */
const classesOf = (context: PlanContext) => {
  const entries = stylesOf(context, /^model_output/)
    .map((style) => styled.safeParse(style).data?.segmentation)
    .find((found) => found !== undefined)
  return Object.fromEntries(
    (entries ?? []).map(({ color, opacity, quantity, label }) => [
      String(quantity),
      { label: label ?? '', rgb: rgbOf(color), opacity },
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

/** Stops of the ramp in which a continuous prediction is shown, ascending. */
const rampOf = (context: PlanContext) =>
  // Of the prediction alone: probabilities may be a layer of their own.
  stylesOf(context, /^model_output_(regularized_)?image/)
    .map((style) => graded.safeParse(style).data?.regression)
    .find((found) => found !== undefined)
    ?.toSorted((a, b) => a.quantity - b.quantity)
    .map(({ color, quantity, label }) => ({
      value: quantity,
      rgb: rgbOf(color),
      label: label ?? '',
    }))

const plan = (context: PlanContext) => {
  const spec = context.input_spec[0]!
  const { regularization, polygons, ...masks } = readPostProcessing(context.post_processing)
  // A catalogue's step writes the bands in the order of the spec, whatever their index was.
  const placeOf = (band: { index: number; band_name: string }) =>
    context.source.kind === 'items'
      ? spec.bands.findIndex((other) => other.band_name === band.band_name)
      : band.index
  const ramp = rampOf(context)
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
    ...(ramp ? { ramp } : {}),
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
    ramp: z
      .array(
        z.strictObject({
          value: z.number(),
          rgb: z.tuple([byte, byte, byte]),
          label: z.string().default(''),
        }),
      )
      .min(1)
      .optional()
      .describe('Colours of a continuous prediction, ascending; absent: a palette over its values'),
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
