import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { Db } from './database.ts'
import { HttpError } from './errors.ts'
import { type Ctx, status } from './routing.ts'

export interface Answer {
  readonly status: number
  readonly body: unknown
}

/**
 * Runs `work` once for an Idempotency-Key; the same request again gets the first answer.
 *
 * @throws HttpError 409 for the key with another body, or while the first request still runs
 * @see draft-ietf-httpapi-idempotency-key-header
 */
export const idempotent = async (
  db: Db,
  c: Ctx,
  identity: string,
  body: unknown,
  work: () => Promise<Answer>,
): Promise<Response> => {
  const key = c.req.header('idempotency-key')
  if (!key) {
    const answer = await work()
    return c.json(answer.body as object, status(answer.status))
  }
  if (key.length > 255) throw new HttpError(422, 'Idempotency-Key is longer than 255 characters.')
  const route = c.get('pattern')
  const id = { identity, key, route }
  const body_hash = createHash('sha256').update(JSON.stringify(body)).digest('hex')
  await db
    .deleteFrom('idempotency')
    .where('created_at', '<', sql<Date>`now() - interval '24 hours'`)
    .execute()
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('idempotency')
    .values({ ...id, body_hash, status: null, body: null })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst()
  const mine = db
    .selectFrom('idempotency')
    .selectAll()
    .where('identity', '=', identity)
    .where('key', '=', key)
    .where('route', '=', route)
  if (!numInsertedOrUpdatedRows) {
    const row = await mine.executeTakeFirst()
    if (row && row.body_hash !== body_hash)
      throw new HttpError(409, 'This Idempotency-Key was used for another request.')
    if (!row || row.status === null)
      throw new HttpError(409, 'The request with this Idempotency-Key is still at work.')
    c.header('Idempotency-Replayed', 'true')
    return c.json(JSON.parse(row.body!), status(row.status))
  }
  const where = (e: any) =>
    e.and([e('identity', '=', identity), e('key', '=', key), e('route', '=', route)])
  try {
    const answer = await work()
    await db
      .updateTable('idempotency')
      .set({ status: answer.status, body: JSON.stringify(answer.body) })
      .where(where)
      .execute()
    return c.json(answer.body as object, status(answer.status))
  } catch (error) {
    await db.deleteFrom('idempotency').where(where).execute() // a refused request may be put right
    throw error
  }
}
