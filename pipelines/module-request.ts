import { parse } from 'yaml'
import { z } from 'zod'
import { parsePolygons } from './area/polygon.ts'
import { invalid, PlanError } from './errors.ts'
import type { InferenceArguments } from './module.ts'
import { type InferenceRequest, inferenceRequest } from './request.ts'
import { isText, meantBy, tidyRequest } from './request-fields.ts'
import { rangeOf } from './search/dates.ts'

/** Fields of the wire's body: on the command line a misspelt one must not be a field left out. */
const KNOWN = new Set([
  ...Object.keys(inferenceRequest.shape),
  ...['model_id', 'fine_tuning_id', 'generic_processor_id', 'name', 'demo', 'inferencing'],
  ...['pipeline_steps', 'geoserver_layers', 'inference_output'],
])

const document = async ({ request }: InferenceArguments): Promise<Record<string, unknown>> => {
  if (!request) return {}
  const name = await request.name()
  let read: unknown
  try {
    read = parse(await request.contents())
  } catch (error) {
    throw invalid('request.invalid', name, (error as Error).message)
  }
  const fields = z.record(z.string(), z.unknown()).safeParse(read ?? {})
  if (!fields.success) throw invalid('request.invalid', name, 'must be an object of fields')
  const strange = Object.keys(fields.data).find((key) => !KNOWN.has(key))
  if (strange !== undefined) {
    const meant = meantBy(strange, [...KNOWN])
    const cure = meant ? `write ${meant}` : `use one of ${[...KNOWN].join(', ')}`
    throw new PlanError('request.invalid', `${name}: ${strange}: no such field; ${cure}`)
  }
  const odd = oddText(fields.data, [])
  if (odd)
    throw new PlanError(
      'request.invalid',
      `${name}: ${odd.join('.')}: should be valid text, without NUL or half a surrogate pair: save the file as UTF-8`,
    )
  return tidyRequest(fields.data) as Record<string, unknown>
}

/** Where a text stands that cannot be kept; a file that is not UTF-8 has such, too. */
const oddText = (value: unknown, path: readonly string[]): readonly string[] | undefined => {
  if (typeof value === 'string') return isText(value) ? undefined : path
  if (typeof value !== 'object' || value === null) return undefined
  for (const [key, item] of Object.entries(value)) {
    const found = isText(key) ? oddText(item, [...path, key]) : path
    if (found) return found
  }
  return undefined
}

/** What only a server knows by its id: left out, the run would not be the one that was asked for. */
const checkIds = (given: Record<string, unknown>, args: InferenceArguments): void => {
  if (given.generic_processor_id && !args.processor)
    throw new PlanError(
      'request.invalid',
      'generic_processor_id: scripts of a server are not known here: give the script by --processor',
    )
  if (given.fine_tuning_id && !args.config && !args.modelFile)
    throw new PlanError(
      'request.invalid',
      'fine_tuning_id: tunes of a server are not known here: give the model by --config and --checkpoint, or --model-file',
    )
}

const DECIMAL = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i

const bboxOf = (text: string): number[] => {
  const numbers = text.split(',').map((part) => (DECIMAL.test(part) ? Number(part) : NaN))
  if (numbers.length === 4 && numbers.every(Number.isFinite)) return numbers
  throw new PlanError(
    'request.invalid',
    `bbox: ${text.slice(0, 100)} is not west,south,east,north in degrees, such as 3.0,45.11,3.06,45.15`,
  )
}

/** Polygons of a GeoJSON file: a geometry, a Feature or a FeatureCollection. */
const polygonsOf = async (file: NonNullable<InferenceArguments['polygon']>): Promise<unknown[]> => {
  const name = await file.name()
  let shape: { type?: unknown; features?: unknown } | null
  try {
    // Editors of one system begin a text with a mark that JSON does not have.
    shape = JSON.parse((await file.contents()).replace(/^\uFEFF/, ''))
  } catch (error) {
    throw invalid('request.polygon', name, `is no GeoJSON: ${(error as Error).message}`)
  }
  const shapes = shape?.type === 'FeatureCollection' ? shape.features : [shape]
  if (!Array.isArray(shapes) || shapes.length === 0)
    throw invalid('request.polygon', name, 'is a FeatureCollection of nothing: draw a polygon')
  for (const [n, one] of shapes.entries()) parsePolygons(one, `${name}: feature ${n}`)
  return shapes
}

const placeOf = async (args: InferenceArguments): Promise<Record<string, unknown>> => ({
  ...(args.bbox === undefined ? {} : { bbox: [bboxOf(args.bbox)] }),
  ...(args.polygon === undefined ? {} : { polygons: await polygonsOf(args.polygon) }),
  ...(args.tile === undefined ? {} : { tiles: args.tile.split(',').map((tile) => tile.trim()) }),
})

const datesOf = (text: string): string[] => {
  const dates = text.split(',').map((part) => part.trim())
  for (const date of dates) rangeOf(date, '2199-12-31')
  return dates
}

/**
 * The request of a command line: the file's fields, and over them the arguments'.
 *
 * @throws PlanError `request.*`, naming the argument or the field
 */
export const readRequest = async (args: InferenceArguments): Promise<InferenceRequest> => {
  const given = await document(args)
  checkIds(given, args)
  const place = await placeOf(args)
  const spatial = { ...(given.spatial_domain as object | undefined), ...place }
  const parsed = inferenceRequest.safeParse({
    ...given,
    ...(Object.keys(spatial).length ? { spatial_domain: spatial } : {}),
    ...(args.datetime === undefined ? {} : { temporal_domain: datesOf(args.datetime) }),
    ...(args.maxcc === undefined ? {} : { maxcc: args.maxcc }),
    ...(args.minCoverage === undefined ? {} : { min_coverage: args.minCoverage }),
    ...(args.onePer === undefined ? {} : { one_per: args.onePer }),
    ...(args.clip === undefined ? {} : { clip: args.clip }),
  })
  if (parsed.success) return parsed.data
  throw invalid(
    'request.invalid',
    args.request ? await args.request.name() : 'request',
    parsed.error,
  )
}
