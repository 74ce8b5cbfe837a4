import { type RawBuilder, type SelectQueryBuilder, sql } from 'kysely'
import { z } from 'zod'
import { timeText } from './answers.ts'
import { placeOf } from './cursors.ts'
import type { Database } from '../database/database.ts'
import { uuid } from './routing.ts'

/** Tunes are named, all else has a UUID. */
export const namedId = z.string().min(1).max(100)

/** Places in a list of `created_at desc, id`, for its cursors. */
export const newestFirst = (table: string, kind: typeof uuid | typeof namedId = uuid) => {
  const place = z.tuple([timeText, kind])
  const ofKind = kind === uuid ? sql`::uuid` : sql``
  const created = sql.ref(`${table}.created_at`)
  const id = sql.ref<string>(`${table}.id`)
  return {
    created,
    id,
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

interface Page {
  readonly cursor?: string | undefined
  readonly limit: number
  readonly skip: number
}

/** Places of a page of `found`, which selects nothing yet, and how many rows there are in all. */
export const newestPage = async <O>(
  found: SelectQueryBuilder<Database, any, O>,
  newest: ReturnType<typeof newestFirst>,
  { cursor, limit, skip }: Page,
): Promise<{ places: (readonly [at: string, id: string])[]; total: number }> => {
  const { created, id } = newest
  const rows = await found
    .clearSelect()
    .select([id.as('id'), newest.at.as('at')])
    .where(newest.after(cursor))
    .orderBy(created, 'desc')
    .orderBy(id)
    .limit(limit)
    .offset(skip)
    .execute()
  const count = sql<string>`count(*)`.as('total')
  const { total } = await found.clearSelect().select(count).executeTakeFirstOrThrow()
  return { places: rows.map((row) => [row.at, row.id] as const), total: Number(total) }
}

/** A time as a cursor keeps it. */
export const timeOf = (column: RawBuilder<unknown>): RawBuilder<string> =>
  sql`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
