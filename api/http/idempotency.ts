import { createHash } from 'node:crypto'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { sql } from 'kysely'
import type { Db } from '../database/database.ts'
import { HttpError } from './errors.ts'
import type { Ctx } from './context.ts'

/** `work` in a transaction of its own, or in the one that is open already. */
export const inTransaction = <T>(db: Db, work: (trx: Db) => Promise<T>): Promise<T> =>
  db.isTransaction ? work(db) : db.transaction().execute(work)

/** The same for the same request, whatever boundary a multipart body was sent with. */
export const fingerprint = async (request: unknown, form?: FormData): Promise<string> => {
  const hash = createHash('sha256').update(JSON.stringify(request))
  for (const [name, part] of form ?? []) {
    const bytes = part instanceof File ? Buffer.from(await part.arrayBuffer()) : Buffer.from(part)
    const file = part instanceof File ? part.name : null
    hash.update(JSON.stringify([name, file, bytes.length])).update(bytes)
  }
  return hash.digest('hex')
}

/**
 * Runs `work` once for an Idempotency-Key; the same request again gets the first answer.
 *
 * The key, what the work writes and its answer are one transaction: a process that dies between
 * them leaves nothing, and a refused request may be put right and sent again.
 *
 * @throws HttpError 409 for the key with another request, or while the first is still at work
 * @see draft-ietf-httpapi-idempotency-key-header
 */
export const idempotent = async (
  db: Db,
  c: Ctx,
  identity: string,
  body_hash: string,
  work: (trx: Db) => Promise<Response>,
): Promise<Response> => {
  const key = c.req.header('idempotency-key')
  if (!key) return work(db)
  if (key.length > 255) throw new HttpError(422, 'Idempotency-Key is longer than 255 characters.')
  const route = c.get('pattern')
  await db
    .deleteFrom('idempotency')
    .where('created_at', '<', sql<Date>`now() - interval '24 hours'`)
    .execute()
  return db.transaction().execute(async (trx) => {
    const name = JSON.stringify([identity, route, key])
    const lock = await sql<{ got: boolean }>`
      select pg_try_advisory_xact_lock(hashtextextended(${name}, 0)) as got`.execute(trx)
    if (!lock.rows[0]?.got) {
      c.header('Retry-After', '1')
      throw new HttpError(409, 'The request with this Idempotency-Key is still at work.')
    }
    const held = await trx
      .selectFrom('idempotency')
      .selectAll()
      .where('identity', '=', identity)
      .where('key', '=', key)
      .where('route', '=', route)
      .executeTakeFirst()
    if (held && held.body_hash !== body_hash)
      throw new HttpError(409, 'This Idempotency-Key was used for another request.')
    if (held) {
      c.header('Idempotency-Replayed', 'true')
      const code = held.status as ContentfulStatusCode
      return c.body(held.body!, code, { 'Content-Type': 'application/json' })
    }
    const answer = await work(trx)
    const kept = { status: answer.status, body: await answer.clone().text() }
    await trx
      .insertInto('idempotency')
      .values({ identity, key, route, body_hash, ...kept })
      .execute()
    return answer
  })
}
