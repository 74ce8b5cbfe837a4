import { z } from 'zod'
import { defineContract } from '../contract.ts'

const rgb = z.tuple([
  z.number().int().min(0).max(255),
  z.number().int().min(0).max(255),
  z.number().int().min(0).max(255),
])

/** Masks, RGB, preview and archive; band indexes count from 0 in the scene as delivered. */
export const contract = defineContract({
  name: 'postprocess-generic',
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
        encoding: z.enum(['sentinel2_scl', 'hls_fmask']),
      })
      .nullable()
      .default(null),
    colors: z.record(z.string(), z.strictObject({ rgb, opacity: z.number() })).default({}),
  }),
})
