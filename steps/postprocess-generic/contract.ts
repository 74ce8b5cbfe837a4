import { z } from 'zod'
import { classBandOf, encodings, modelBands } from '../bands.ts'
import { defineContract } from '../contract.ts'
import { PlanError } from '../errors.ts'
import type { PlanContext } from '../plan-context.ts'

const rgb = z.tuple([
  z.number().int().min(0).max(255),
  z.number().int().min(0).max(255),
  z.number().int().min(0).max(255),
])

const colorsOf = ({ layers }: PlanContext) => {
  const layer = layers.find((entry) => entry.filepath_key.startsWith('model_output'))
  const entries = z
    .object({
      segmentation: z.array(
        z.object({
          color: z.string().regex(/^#[0-9a-f]{6}$/i),
          opacity: z.coerce.number().default(0),
          quantity: z.coerce.number(),
        }),
      ),
    })
    .safeParse(layer?.geoserver_style)
  if (!entries.success) return {}
  const byte = (color: string, at: number) => parseInt(color.slice(at, at + 2), 16)
  return Object.fromEntries(
    entries.data.segmentation.map(({ color, opacity, quantity }) => [
      String(quantity),
      { rgb: [byte(color, 1), byte(color, 3), byte(color, 5)], opacity },
    ]),
  )
}

/** Switches that the seed has and no step here does yet: asked for, they are refused, not ignored. */
const NOT_BUILT = ['ocean_masking', 'regularization', 'mask_from_url'] as const

/** @throws PlanError `request.post_processing` for a switch that no step does */
const masksOf = ({ post_processing: post }: PlanContext) => {
  const asked = NOT_BUILT.find((name) => post[name])
  if (asked)
    throw new PlanError(
      'request.post_processing',
      `post_processing.${asked} is not built yet: leave it out or give false`,
    )
  return {
    cloud_masking: post.cloud_masking ?? false,
    snow_ice_masking: post.snow_ice_masking ?? false,
    permanent_water_masking: post.permanent_water_masking ?? false,
  }
}

const plan = (context: PlanContext) => {
  const spec = context.input_spec[0]!
  const { bands } = spec
  const maskBand = classBandOf(spec)
  const rgb = (['R', 'G', 'B'] as const).map((c) => bands.find((b) => b.RGB_band === c)?.index)
  return {
    rgb: rgb.every((index) => index !== undefined) ? rgb : null,
    masks: masksOf(context),
    bands: modelBands(spec, context.inference).map(({ index }) => index),
    mask_band: maskBand && { index: maskBand.index, encoding: maskBand.encoding },
    colors: colorsOf(context),
  }
}

/** Masks, RGB, preview and archive; band indexes count from 0 in the scene as delivered. */
export const contract = defineContract({
  name: 'postprocess-generic',
  stage: 'postprocess',
  message: 'Post-processing results ..',
  plan,
  consumes: ['original_input_image', 'model_output_image'],
  produces: [
    'model_input_original_image_rgb',
    'model_output_image_masked',
    'preview',
    'item',
    'archive',
  ],
  parameters: z.strictObject({
    rgb: z
      .tuple([z.number().int().min(0), z.number().int().min(0), z.number().int().min(0)])
      .nullable(),
    bands: z
      .array(z.number().int().min(0))
      .default([])
      .describe('Indexes of the bands that the model reads: values, whatever the file calls them'),
    masks: z
      .strictObject({
        cloud_masking: z.boolean(),
        snow_ice_masking: z.boolean(),
        permanent_water_masking: z.boolean(),
      })
      .partial()
      .default({}),
    mask_band: z
      .strictObject({
        index: z.number().int().min(0),
        encoding: z.enum(encodings),
      })
      .nullable()
      .default(null),
    colors: z.record(z.string(), z.strictObject({ rgb, opacity: z.number() })).default({}),
  }),
})
