import type { z } from 'zod'

/** An answer that is an error: `{"detail": X}`. @see docs/wire.md#conventions */
export class HttpError extends Error {
  readonly status: number
  readonly detail: unknown
  readonly headers: Readonly<Record<string, string>>
  constructor(status: number, detail: unknown, headers: Readonly<Record<string, string>> = {}) {
    super(typeof detail === 'string' ? detail : JSON.stringify(detail))
    this.status = status
    this.detail = detail
    this.headers = headers
  }
}

export interface Problem {
  type: string
  loc: (string | number)[]
  msg: string
  input?: unknown
}

const EXPECTED: Record<string, [string, string]> = {
  string: ['string_type', 'Input should be a valid string'],
  number: ['float_type', 'Input should be a valid number'],
  int: ['int_type', 'Input should be a valid integer'],
  boolean: ['bool_type', 'Input should be a valid boolean'],
  array: ['list_type', 'Input should be a valid list'],
  tuple: ['list_type', 'Input should be a valid list'],
  object: ['dict_type', 'Input should be a valid dictionary'],
  record: ['dict_type', 'Input should be a valid dictionary'],
}

export const INT_PARSING = 'Input should be a valid integer, unable to parse string as an integer'
export const INT_FROM_FLOAT = 'Input should be a valid integer, got a number with a fractional part'
export const BOOL_PARSING = 'Input should be a valid boolean, unable to interpret input'
/** Messages that stand for themselves; any other custom one is a `Value error`. */
const TYPES: Record<string, string> = {
  [INT_PARSING]: 'int_parsing',
  [INT_FROM_FLOAT]: 'int_from_float',
  [BOOL_PARSING]: 'bool_parsing',
}

const at = (input: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key],
    input,
  )

const typed = (issue: z.core.$ZodIssue, input: unknown): [string, string] => {
  const value = at(input, issue.path)
  if (value === undefined && issue.code !== 'custom') return ['missing', 'Field required']
  if (TYPES[issue.message]) return [TYPES[issue.message]!, issue.message]
  if (issue.code === 'invalid_type')
    return EXPECTED[issue.expected] ?? ['type_error', issue.message]
  if (issue.code === 'invalid_format' && ['uuid', 'guid'].includes(issue.format))
    return ['uuid_parsing', `Input should be a valid UUID, found ${JSON.stringify(brief(value))}`]
  if (issue.code === 'too_big' && issue.origin === 'string')
    return ['string_too_long', `String should have at most ${issue.maximum} characters`]
  if (issue.code === 'too_small' && issue.origin === 'string')
    return ['string_too_short', `String should have at least ${issue.minimum} characters`]
  if (issue.code === 'too_big' && ['number', 'int'].includes(issue.origin))
    return ['less_than_equal', `Input should be less than or equal to ${issue.maximum}`]
  if (issue.code === 'too_small' && ['number', 'int'].includes(issue.origin))
    return ['greater_than_equal', `Input should be greater than or equal to ${issue.minimum}`]
  return ['value_error', `Value error, ${issue.message}`]
}

/** Whether a reading knows every key that was given. */
const knowsKeys = (reading: readonly z.core.$ZodIssue[]): boolean =>
  reading.every(({ code }) => code !== 'unrecognized_keys')

/** Of a union only one reading is told: of those that know its keys, else of all, the first that
 * liked the type, else the first. */
const leafOf = (issue: z.core.$ZodIssue): z.core.$ZodIssue => {
  if (issue.code !== 'invalid_union') return issue
  const known = issue.errors.filter(knowsKeys)
  const readings = known.length ? known : issue.errors
  const [inner] = readings.find(([one]) => one && one.code !== 'invalid_type') ??
    readings[0] ?? [undefined]
  return inner ? leafOf({ ...inner, path: [...issue.path, ...inner.path] }) : issue
}

/** More help nobody. */
export const MOST_PROBLEMS = 20
const LONGEST = 2000

/** A value as an error shows it: the beginning of what is long. */
export const brief = (value: unknown, longest = 200, depth = 0): unknown => {
  if (typeof value === 'string')
    return value.length > longest ? `${value.slice(0, longest)}…` : value
  if (typeof value !== 'object' || value === null) return value
  if (depth > 5) return '…'
  if (Array.isArray(value))
    return value.slice(0, MOST_PROBLEMS).map((item) => brief(item, longest, depth + 1))
  const kept: [string, unknown][] = []
  for (const key in value) {
    if (kept.length === MOST_PROBLEMS) break
    const item = (value as Record<string, unknown>)[key]
    kept.push([key.slice(0, 100), brief(item, longest, depth + 1)])
  }
  return Object.fromEntries(kept)
}

/** What is answered of an error, whatever was put into it. */
export const briefDetail = (detail: unknown): unknown => brief(detail, LONGEST)

/** Zod's issues in the shape that the clients join: objects with `msg`; the first 20. */
export const problemsOf = (error: z.ZodError, input: unknown, place: string): Problem[] =>
  error.issues.slice(0, MOST_PROBLEMS).flatMap((issue) => {
    const leaf = leafOf(issue)
    const [type, msg] = typed(leaf, input)
    // The one field that GEOStudio reports from another place (docs/wire.md#conventions).
    const moved = type === 'missing' && leaf.path.join() === 'temporal_domain'
    const loc = [
      moved ? 'inference_config' : place,
      ...leaf.path.map((part) => (typeof part === 'number' ? part : String(part).slice(0, 100))),
    ]
    const found = at(input, leaf.path)
    const shown = found === undefined ? at(input, leaf.path.slice(0, -1)) : found
    return [{ type, loc, msg: msg.slice(0, LONGEST), input: brief(shown) }]
  })

export const invalidBody = (msg: string, ...loc: (string | number)[]): HttpError =>
  new HttpError(422, [{ type: 'value_error', loc: ['body', ...loc], msg: `Value error, ${msg}` }])
