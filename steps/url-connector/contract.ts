import { z } from 'zod'
import { modelBands } from '../bands.ts'
import { defineContract } from '../contract.ts'
import { PlanError } from '../errors.ts'
import type { PlanContext } from '../plan-context.ts'

const band = z.object({
  index: z.number().int().min(0).describe('Position in the file, counted from 0'),
  band_name: z.string(),
  scaling_factor: z
    .number()
    .refine((factor) => factor !== 0, 'must not be 0')
    .default(1)
    .describe('Multiplied with the pixel'),
  offset: z.number().default(0).describe('Added after the scaling factor'),
})

const sceneOf = ({ source }: PlanContext) => {
  const [scene, ...more] = source.kind === 'scene' ? source.scenes : []
  if (scene && more.length === 0) return scene
  throw new PlanError(
    'request.modalities',
    'spatial_domain.urls: a model of several modalities cannot be run yet; give one URL an item',
  )
}

/** What a plan may ask of the step: one scene, its bands and their scale. */
export const contract = defineContract({
  name: 'url-connector',
  stage: 'input',
  message: 'Preprocessing started: downloading and preparing data.',
  sources: ['scene'],
  consumes: [],
  produces: ['original_input_image', 'imputed_input_image'],
  parameters: z
    .strictObject({
      url: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('URL of a GeoTIFF or a zip of one'),
      file: z.string().optional().describe('Name of a file among the inputs, instead of a URL'),
      date: z.iso.date().nullable().default(null).describe('Acquisition date, UTC'),
      bands: z.array(band).default([]).describe('Empty: every band, unscaled'),
      radiometry: z
        .enum(['stored', 'scaled'])
        .default('stored')
        .describe("scaled: the file's own scale and offset tags are applied before the spec's"),
      require_crs: z.boolean().default(false),
      max_bytes: z.number().int().positive().default(4_000_000_000),
      allow_private_hosts: z
        .boolean()
        .default(false)
        .describe('Only for tests and closed networks'),
    })
    .refine((p) => (p.url === undefined) !== (p.file === undefined), 'give either url or file'),
  plan: (context) => {
    const { url, file } = sceneOf(context)
    const spec = context.input_spec[0]!
    return {
      ...(url === undefined ? { file } : { url }),
      date: context.date,
      bands: modelBands(spec, context.inference).map(
        ({ index, band_name, scaling_factor, offset }) => ({
          ...{ index, band_name, scaling_factor },
          ...(offset === undefined ? {} : { offset }),
        }),
      ),
      ...(spec.radiometry === undefined ? {} : { radiometry: spec.radiometry }),
      require_crs: context.options.geoserverUrl !== undefined,
      allow_private_hosts: context.options.allowPrivateHosts ?? false,
    }
  },
})
