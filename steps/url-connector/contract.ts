import { z } from 'zod'
import { modelBands } from '../bands.ts'
import { defineContract } from '../contract.ts'
import { scenesByModality } from '../modality.ts'
import type { InputSpec, PlanContext, Scene } from '../plan-context.ts'

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

/** What one scene is read from and what is read of it. */
const scene = {
  url: z
    .url({ protocol: /^(https?|s3)$/ })
    .optional()
    .describe('URL of a GeoTIFF or a zip of one; s3 where the operator has given access'),
  file: z.string().optional().describe('Name of a file among the inputs, instead of a URL'),
  bands: z.array(band).default([]).describe('Empty: every band, unscaled'),
  radiometry: z
    .enum(['stored', 'scaled'])
    .default('stored')
    .describe("scaled: the file's own scale and offset tags are applied before the spec's"),
}
const modality = z
  .strictObject({
    name: z.string().regex(/^[A-Za-z0-9_-]{1,40}$/),
    ...scene,
    mask: z
      .literal(true)
      .optional()
      .describe('Classes for masks: on a grid of their own, and no model input'),
  })
  .refine((p) => (p.url === undefined) !== (p.file === undefined), 'give either url or file')

/** Bytes of one download, or of a zip unpacked. */
export const MAX_BYTES = 4_000_000_000

const parameters = z
  .strictObject({
    ...scene,
    member: z.string().optional().describe('Name of the scene in a zip of several'),
    zip_key: z.string().optional().describe('Tasks of one key share the download of their zip'),
    modalities: z.array(modality).min(2).max(8).optional().describe('Instead of one url or file'),
    layer: z
      .boolean()
      .default(false)
      .describe('GeoPackage, NetCDF and zipped Shapefiles are delivered as they are'),
    date: z.iso.date().nullable().default(null).describe('Acquisition date, UTC'),
    require_crs: z.boolean().default(false),
    max_bytes: z.number().int().positive().default(MAX_BYTES),
    allow_private_hosts: z.boolean().default(false).describe('Only for tests and closed networks'),
  })
  .refine(
    (p) => [p.url, p.file, p.modalities].filter((given) => given !== undefined).length === 1,
    'give one of url, file and modalities',
  )
export type UrlConnectorParameters = z.output<typeof parameters>

const bandsOf = (spec: InputSpec, inference: unknown) => ({
  bands: modelBands(spec, inference).map(({ index, band_name, scaling_factor, offset }) => ({
    ...{ index, band_name, scaling_factor },
    ...(offset === undefined ? {} : { offset }),
  })),
  ...(spec.radiometry === undefined ? {} : { radiometry: spec.radiometry }),
})

const fromScene = ({ url, file }: Scene) => (url === undefined ? { file } : { url })

/** Only published: no model and no script reads it, so that it may be no raster at all. */
const isLayer = ({ inference, server, options }: PlanContext): boolean =>
  !inference && !server && !options.processor

const plan = (context: PlanContext) => {
  const { source, inference, input_spec, mask_spec, inference_id, options, date } = context
  const scenes = source.kind === 'scene' ? source.scenes : []
  // A model that only publishes need not say what its bands are.
  const read = input_spec.length === 0 && isLayer(context) ? [{ bands: [] }] : input_spec
  const found = scenesByModality(mask_spec ? [...read, mask_spec] : read, scenes)
  const [first] = found
  const { member } = first!.scene
  return {
    ...(found.length > 1
      ? {
          modalities: found.map(({ name, spec, scene }) => ({
            ...{ name, ...fromScene(scene) },
            ...bandsOf(spec, inference),
            ...(spec === mask_spec ? { mask: true } : {}),
          })),
        }
      : { ...fromScene(first!.scene), ...bandsOf(first!.spec, inference) }),
    ...(member === undefined ? {} : { member, zip_key: inference_id }),
    ...(isLayer(context) ? { layer: true } : {}),
    date,
    require_crs: options.geoserverUrl !== undefined,
    allow_private_hosts: options.allowPrivateHosts ?? false,
  }
}

/** What a plan may ask of the step: one scene a modality, their bands and their scale. */
export const contract = defineContract({
  name: 'url-connector',
  stage: 'input',
  message: 'Preprocessing started: downloading and preparing data.',
  sources: ['scene'],
  consumes: [],
  produces: ['original_input_image', 'imputed_input_image'],
  parameters,
  online: (given) => {
    const { url, modalities = [] } = given as UrlConnectorParameters
    return [{ url }, ...modalities].some((one) => one.url !== undefined)
  },
  objects: (given) => {
    const { url, modalities = [] } = given as UrlConnectorParameters
    return [url, ...modalities.map((one) => one.url)].filter(
      (one) => one?.startsWith('s3://') === true,
    ) as string[]
  },
  plan,
})
