import { z } from 'zod'
import { HttpError } from './errors.ts'

const LONGEST = 400

/** `cursor=` begins a list, `next_cursor` of its answer goes on: what is added meanwhile shifts nothing. */
export const cursorText = z.string().max(LONGEST).optional()
/** In an answer that was asked for by a cursor only; null at the end. */
export const nextCursor = z.string().nullable().optional()

const encode = (place: readonly string[]): string =>
  Buffer.from(JSON.stringify(place)).toString('base64url')

/** Where a cursor stands; undefined at the beginning. @throws HttpError 422 `request.cursor` */
export const placeOf = <T extends z.ZodType>(
  cursor: string | undefined,
  shape: T,
): z.output<T> | undefined => {
  if (!cursor) return undefined
  const refuse = (): never => {
    const msg = "not a next_cursor of this list's answers: begin anew with cursor="
    throw new HttpError(422, [{ type: 'request.cursor', loc: ['query', 'cursor'], msg }])
  }
  let place: unknown
  try {
    place = JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    return refuse()
  }
  const parsed = shape.safeParse(place)
  return parsed.success ? parsed.data : refuse()
}

/**
 * What an answer that was asked for by a cursor adds.
 *
 * @param places of the rows that were found; `count` of them are told
 */
export const cursorAfter = (
  cursor: string | undefined,
  places: readonly (readonly string[])[],
  count: number,
  limit: number,
): { next_cursor?: string | null } => {
  if (cursor === undefined) return {}
  const more = count > 0 && (count < places.length || places.length >= limit)
  return { next_cursor: more ? encode(places[count - 1]!) : null }
}

/** What stands before the results of a page of a list. */
export const pageHead =
  (
    total_records: number,
    places: readonly (readonly string[])[],
    { cursor, limit }: { readonly cursor?: string | undefined; readonly limit: number },
  ) =>
  (page_count: number) => ({
    total_records,
    page_count,
    ...cursorAfter(cursor, places, page_count, limit),
  })

/** The cursor to what an array did not tell: cut short, for its length, it goes on though none was asked for. */
export const cursorOfArray =
  (
    places: readonly (readonly string[])[],
    { cursor, limit }: { readonly cursor?: string | undefined; readonly limit: number },
  ) =>
  (count: number) =>
    cursorAfter(cursor ?? (count < places.length ? '' : undefined), places, count, limit)
      .next_cursor

/** A list's own address with another cursor: what a Link of `rel="next"` leads to (RFC 8288). */
export const nextUrl = (url: string, cursor: string): string => {
  const { searchParams } = new URL(url)
  searchParams.set('cursor', cursor)
  // Relative to the list: a proxy may have it under another path.
  return `?${searchParams}`
}

/** A row's number in a list of newest first. */
export const numbered = z.tuple([z.string().regex(/^\d{1,18}$/)])
