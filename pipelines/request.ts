import { z } from 'zod'
import { period, rightlyNamed, sceneName } from './request-fields.ts'

/** Degrees, south below north; west above east only where it crosses 180 degrees (RFC 7946 5.2). */
export const isBox = ([w, s, e, n]: readonly [number, number, number, number]): boolean =>
  s < n &&
  Math.abs(w) <= 180 &&
  Math.abs(e) <= 180 &&
  s >= -90 &&
  n <= 90 &&
  (w < e || (e + 360 - w > 0 && e + 360 - w < 180)) &&
  w !== e

const bbox = z
  .tuple([z.number(), z.number(), z.number(), z.number()], {
    error: () => 'must be [west, south, east, north], four numbers in degrees',
  })
  .refine(isBox, {
    message:
      'must be [west, south, east, north] in degrees, south < north, west < east or across 180 degrees',
  })

/** A switch as old clients write it: `true`, `"True"`, `"true"`; null and absent are off. */
export const flag = z
  .union([z.boolean(), z.enum(['True', 'true', 'False', 'false', '']), z.null()])
  .transform((value) => value === true || value === 'True' || value === 'true')

/** A number, or its text as old clients write it; null is no number (`coerce` would read it as 0). */
const numeric = z.union([
  z.number(),
  z
    .string()
    .regex(/^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i, 'a number')
    .transform(Number),
])

const WHOLE = /^\s*[+-]?\d{1,15}(\.0+)?\s*$/

const band = rightlyNamed(
  z.looseObject({
    index: numeric.pipe(z.number().int().min(0)),
    band_name: z.string(),
    RGB_band: z
      .enum(['R', 'G', 'B', ''])
      .nullish()
      .transform((value) => value || null),
    scaling_factor: numeric.nullish().transform((value) => value ?? 1),
    offset: numeric.nullish().transform((value) => value ?? 0),
  }),
)

/** One modality that a model takes. @see docs/wire.md#how-a-model-is-described */
export const inputSpec = rightlyNamed(
  z.looseObject({
    connector: z.string().optional(),
    collection: z.string().optional(),
    /** Days that a further modality's date may lie beside the first one's */
    date_tolerance_days: numeric.pipe(z.number().min(0).max(366)).nullish(),
    radiometry: z
      .enum(['stored', 'scaled'], "stored, or scaled to apply the file's own scale and offset tags")
      .optional(),
    bands: z.array(band).min(1),
  }),
)

/** One layer to publish. @see docs/wire.md#how-a-model-is-described */
export const pushEntry = z.looseObject({
  workspace: z.string().min(1),
  layer_name: z.string().regex(/^\w+$/, 'letters, digits and _'),
  display_name: z.string(),
  filepath_key: z.string(),
  file_suffix: z.string().default(''),
  geoserver_style: z.union([z.string(), z.looseObject({})]).default(''),
})

export const postProcessing = rightlyNamed(
  z.looseObject({
    cloud_masking: flag.optional(),
    snow_ice_masking: flag.optional(),
    permanent_water_masking: flag.optional(),
    ocean_masking: flag.optional(),
    regularization: z.union([flag, z.looseObject({})]).optional(),
    polygons: flag.optional(),
    mask_from_url: z.union([flag, z.looseObject({})]).optional(),
  }),
)

/** Where a modality is read from instead of what its spec names. */
export const connectorConfig = rightlyNamed(
  z.looseObject({
    connector: z.string().max(100).nullish(),
    collection: z.string().max(200).nullish(),
    collection_name: z.string().max(200).nullish(),
    modality_tag: z.string().max(80).nullish(),
    /** Side of a pixel of the model input, metres */
    resolution_m: numeric
      .pipe(z.number().min(0.1, 'metres, from 0.1 to 200000').max(200_000))
      .nullish(),
  }),
)

/** A step of the request, instead of the model's own. @see docs/wire.md#statuses */
export const requestStep = z.looseObject({
  process_id: z.string().min(1).max(50),
  step_number: z.coerce.number().int().min(0).max(1000),
})

/** How a place is searched; what GEOStudio does not know beside `maxcc`. */
export const searchFields = {
  /** Most cloud of a day, percent of the place; 0 is no limit */
  maxcc: z
    .union([z.number(), z.string().regex(WHOLE, 'a whole number').transform(Number)])
    .pipe(z.number().int('a whole number of percent').min(0).max(100))
    .nullish()
    .transform((value) => value ?? 100),
  /** Least share of the place that a day's items cover, 0 to 1 */
  min_coverage: numeric
    .pipe(z.number().min(0).max(1))
    .nullish()
    .transform((value) => value ?? 0),
  /** One day, the best of each week or month, or the best of all */
  one_per: z
    .enum(['day', 'week', 'month', 'all'])
    .nullish()
    .transform((value) => value ?? 'day'),
  /** Pixels outside a given polygon become nodata */
  clip: flag.nullish().transform((value) => value ?? false),
}

/** What a user asks for: the body of `POST /v2/inference`, or a YAML file on the command line. */
export const inferenceRequest = z.looseObject({
  model_display_name: z.string().max(100).nullish(),
  spatial_domain: rightlyNamed(
    z.looseObject({
      bbox: z.array(bbox).nullish(),
      polygons: z.array(z.unknown()).nullish(),
      tiles: z.array(z.unknown()).nullish(),
      urls: z.array(z.union([sceneName, z.record(z.string(), sceneName)])).nullish(),
    }),
  ).default({}),
  temporal_domain: z.array(period).default([]),
  model_input_data_spec: z.array(inputSpec).nullish(),
  geoserver_push: z.array(pushEntry).nullish(),
  post_processing: postProcessing.nullish(),
  ...searchFields,
  data_connector_config: z.array(connectorConfig).nullish(),
  pipeline_steps: z.array(requestStep).nullish(),
  description: z.string().max(10_000).nullish(),
  location: z.string().max(100).nullish(),
})
export type InferenceRequest = z.output<typeof inferenceRequest>
