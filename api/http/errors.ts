import type { z } from 'zod'

/** An answer that is an error: `{"detail": X}`. @see contract.md 1.0 */
export class HttpError extends Error {
  readonly status: number
  readonly detail: unknown
  constructor(status: number, detail: unknown) {
    super(typeof detail === 'string' ? detail : JSON.stringify(detail))
    this.status = status
    this.detail = detail
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
    return ['uuid_parsing', `Input should be a valid UUID, found ${JSON.stringify(value)}`]
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

/** Of a union only one reading is told: the first that liked the type, else the first. */
const leafOf = (issue: z.core.$ZodIssue): z.core.$ZodIssue => {
  if (issue.code !== 'invalid_union') return issue
  const [inner] = issue.errors.find(([one]) => one && one.code !== 'invalid_type') ??
    issue.errors[0] ?? [undefined]
  return inner ? leafOf({ ...inner, path: [...issue.path, ...inner.path] }) : issue
}

/** Zod's issues in the shape that the clients join: objects with `msg`. */
export const problemsOf = (error: z.ZodError, input: unknown, place: string): Problem[] =>
  error.issues.flatMap((issue) => {
    const leaf = leafOf(issue)
    const [type, msg] = typed(leaf, input)
    // The one field that the seed reports from another place (contract.md 1.3).
    const moved = type === 'missing' && leaf.path.join() === 'temporal_domain'
    const loc = [
      moved ? 'inference_config' : place,
      ...leaf.path.map((part) => (typeof part === 'number' ? part : String(part))),
    ]
    const found = at(input, leaf.path)
    return [
      { type, loc, msg, input: found === undefined ? at(input, leaf.path.slice(0, -1)) : found },
    ]
  })

export const invalidBody = (msg: string, ...loc: (string | number)[]): HttpError =>
  new HttpError(422, [{ type: 'value_error', loc: ['body', ...loc], msg: `Value error, ${msg}` }])
