import { type RawBuilder, sql } from 'kysely'
import { z } from 'zod'
import { timeText } from './answers.ts'
import { placeOf } from './cursors.ts'
import { uuid } from './routing.ts'

/** Tunes are named, all else has a UUID. */
export const namedId = z.string().min(1).max(100)

/** Places in a list of `created_at desc, id`, for its cursors. */
export const newestFirst = (table: string, kind: typeof uuid | typeof namedId = uuid) => {
  const place = z.tuple([timeText, kind])
  const ofKind = kind === uuid ? sql`::uuid` : sql``
  const [created, id] = [sql.ref(`${table}.created_at`), sql.ref(`${table}.id`)]
  return {
    /** To the microsecond, as Postgres orders by it. */
    at: timeOf(created),
    /** Rows after a cursor's place: older, or as old with a larger id. @throws HttpError 422 */
    after: (cursor: string | undefined): RawBuilder<boolean> => {
      const [at, last] = placeOf(cursor, place) ?? []
      return at
        ? sql`(${created} < ${at}::timestamptz
            or (${created} = ${at}::timestamptz and ${id} > ${last}${ofKind}))`
        : sql`true`
    },
  }
}

/** A time as a cursor keeps it. */
export const timeOf = (column: RawBuilder<unknown>): RawBuilder<string> =>
  sql`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
