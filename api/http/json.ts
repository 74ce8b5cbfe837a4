import { HttpError } from './errors.ts'
import { type BodyLimits, checkBody, DEEPEST } from './limits.ts'

/** A string that Postgres can keep: no NUL, no half of a surrogate pair. */
export const storable = (text: string): boolean =>
  !text.includes('\0') && !/\p{Surrogate}/u.test(text)

const refuse = (type: string, msg: string, loc: (string | number)[]): never => {
  throw new HttpError(422, [{ type, loc, msg }])
}

const walk = (value: unknown, loc: (string | number)[]): void => {
  if (loc.length > DEEPEST)
    refuse('recursion_loop', `Input should be at most ${DEEPEST} levels deep`, loc.slice(0, 4))
  if (typeof value === 'string' && !storable(value))
    refuse('string_unicode', 'Input should be valid text: no NUL and no lone surrogates', loc)
  if (typeof value !== 'object' || value === null) return
  for (const [key, item] of Object.entries(value)) {
    if (!storable(key))
      refuse('string_unicode', 'Names should be valid text: no NUL and no lone surrogates', loc)
    if (typeof item === 'string' ? !storable(item) : typeof item === 'object')
      walk(item, [...loc, Array.isArray(value) ? Number(key) : key])
  }
}

/**
 * A client's JSON: bounded, of text that Postgres can keep, and not so deep that a reader's stack ends.
 *
 * @throws SyntaxError where it is not JSON, HttpError 413 or 422 that names the place
 */
export const parseJson = (text: string, place: string, limits?: BodyLimits): unknown => {
  checkBody(text, place, limits)
  const document: unknown = JSON.parse(text)
  walk(document, [place])
  return document
}
