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

const at = (input: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key],
    input,
  )

const typed = (issue: z.core.$ZodIssue, input: unknown): [string, string] => {
  const value = at(input, issue.path)
  if (value === undefined && issue.code !== 'custom') return ['missing', 'Field required']
  if (issue.code === 'invalid_type')
    return EXPECTED[issue.expected] ?? ['type_error', issue.message]
  if (issue.code === 'invalid_format' && ['uuid', 'guid'].includes(issue.format))
    return ['uuid_parsing', `Input should be a valid UUID, found ${JSON.stringify(value)}`]
  if (issue.code === 'too_big' && issue.origin === 'string')
    return ['string_too_long', `String should have at most ${issue.maximum} characters`]
  if (issue.code === 'too_small' && issue.origin === 'string')
    return ['string_too_short', `String should have at least ${issue.minimum} characters`]
  return ['value_error', `Value error, ${issue.message}`]
}

/** Zod's issues in the shape that the clients join: objects with `msg`. */
export const problemsOf = (error: z.ZodError, input: unknown, place: string): Problem[] =>
  error.issues.flatMap((issue) => {
    // Of a union only the first reading is told: the others say the same in other words.
    const leaf =
      issue.code === 'invalid_union' && issue.errors[0]?.[0]
        ? { ...issue.errors[0][0], path: [...issue.path, ...issue.errors[0][0].path] }
        : issue
    const [type, msg] = typed(leaf as z.core.$ZodIssue, input)
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
