import { createHash, randomInt } from 'node:crypto'
import { sql } from 'kysely'
import { type Db } from '../database/database.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const LIFE_DAYS = 90
const MOST_KEYS = 2

/** Only the hash is kept; a lookup by it compares no secret in variable time. */
export const hashOf = (key: string): string => createHash('sha256').update(key).digest('hex')

export interface NewKey {
  readonly id: string
  readonly value: string
  readonly expires_on: Date
  readonly active: boolean
}

/** A key for `email`; its value is shown this once. Undefined where two exist already. */
export const createKey = async (db: Db, email: string): Promise<NewKey | undefined> =>
  db.transaction().execute(async (trx) => {
    await ensureUser(trx, email)
    await trx.selectFrom('user').select('id').where('email', '=', email).forUpdate().execute()
    const held = await trx
      .selectFrom('apikey')
      .select('id')
      .where('user_email', '=', email)
      .where('deleted', '=', false)
      .execute()
    if (held.length >= MOST_KEYS) return undefined
    const value = `pak-${Array.from({ length: 32 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')}`
    const row = await trx
      .insertInto('apikey')
      .values({
        user_email: email,
        hashed_key: hashOf(value),
        hint: `pak-…${value.slice(-4)}`,
        expires_on: new Date(Date.now() + LIFE_DAYS * 86_400_000),
      })
      .returning(['id', 'expires_on', 'active'])
      .executeTakeFirstOrThrow()
    return { ...row, value }
  })

/** The e-mail that a key stands for; undefined when unknown, inactive, deleted or expired. */
export const emailOfKey = async (db: Db, key: string): Promise<string | undefined> => {
  const row = await db
    .selectFrom('apikey')
    .select(['id', 'user_email', 'last_used_at'])
    .where('hashed_key', '=', hashOf(key))
    .where('active', '=', true)
    .where('deleted', '=', false)
    .where('expires_on', '>', sql<Date>`now()`)
    .executeTakeFirst()
  if (!row) return undefined
  // A write a minute, not a write a request.
  if (!row.last_used_at || Date.now() - row.last_used_at.getTime() > 60_000)
    await db
      .updateTable('apikey')
      .set({ last_used_at: sql`now()` })
      .where('id', '=', row.id)
      .execute()
  return row.user_email
}

/** A user row for an e-mail that is seen for the first time; names from its local part. */
export const ensureUser = async (db: Db, email: string): Promise<void> => {
  const [first = '', last = ''] = email.split('@')[0]!.split(/[._-]/)
  await db
    .insertInto('user')
    .values({ email, first_name: first.slice(0, 50), last_name: last.slice(0, 50) })
    .onConflict((conflict) => conflict.column('email').doNothing())
    .execute()
}
