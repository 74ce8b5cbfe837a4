import { z } from 'zod'
import { PlanError } from './errors.ts'

const number = z.union([z.number(), z.string().trim().min(1).transform(Number)]).pipe(z.number())

/** How outlines are made regular; `true` on the wire is `adaptive`, of class 1. */
export const regularization = z.strictObject({
  technique: z.enum(['adaptive', 'orthogonal', 'hybrid']).default('adaptive'),
  classes: z.array(z.number().int()).min(1).default([1]).describe('Values that are made regular'),
  background: z.number().int().default(0).describe('What a pixel becomes that falls outside'),
  min_pixels: number
    .pipe(z.number().min(0))
    .default(0)
    .describe('A smaller region stays as it is, pixels'),
})

/** Polygons by URL inside which a pixel becomes 90. */
export const maskFromUrl = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: 'an http or https URL of polygons' }).max(8000),
  buffer_size_m: number
    .pipe(z.number().min(0).max(100_000))
    .default(100)
    .describe('Metres on the ground'),
})

const on = (value: unknown): boolean => value === true || (typeof value === 'object' && !!value)

const read = <T>(name: string, schema: z.ZodType<T>, value: unknown): T | null => {
  if (!on(value)) return null
  const parsed = schema.safeParse(value === true ? {} : value)
  if (parsed.success) return parsed.data
  const { path, message } = parsed.error.issues[0]!
  throw new PlanError(
    'request.post_processing',
    `post_processing.${[name, ...path].join('.')}: ${message}`,
  )
}

/** `inference_folder_mask_location` is a path on the disk that GEOStudio's services share: there is none here. */
const maskOf = (mask: unknown) => {
  if (typeof mask !== 'object' || !mask) return read('mask_from_url', maskFromUrl, mask)
  const { inference_folder_mask_location: path, ...given } = mask as Record<string, unknown>
  if (path !== undefined && path !== null && path !== '')
    throw new PlanError(
      'request.post_processing',
      'post_processing.mask_from_url.inference_folder_mask_location: there is no folder that a client and the runs share; upload the polygons by GET /v2/file-share and PUT, and give its download_url as mask_from_url.url',
    )
  return read('mask_from_url', maskFromUrl, given)
}

/** What an inference asks of its post-processing, with the defaults filled in. */
export interface PostProcessing {
  readonly cloud_masking: boolean
  readonly snow_ice_masking: boolean
  readonly permanent_water_masking: boolean
  readonly ocean_masking: boolean
  readonly mask_from_url: z.output<typeof maskFromUrl> | null
  readonly regularization: z.output<typeof regularization> | null
  /** Undefined: where the prediction is not too large */
  readonly polygons: boolean | undefined
}

/**
 * The `post_processing` of a request or model, whose switches are booleans already.
 *
 * @throws PlanError `request.post_processing`, naming the field
 */
export const readPostProcessing = (post: Readonly<Record<string, unknown>>): PostProcessing => ({
  cloud_masking: on(post.cloud_masking),
  snow_ice_masking: on(post.snow_ice_masking),
  permanent_water_masking: on(post.permanent_water_masking),
  ocean_masking: on(post.ocean_masking),
  mask_from_url: maskOf(post.mask_from_url),
  regularization: read('regularization', regularization, post.regularization),
  polygons: typeof post.polygons === 'boolean' ? post.polygons : undefined,
})
