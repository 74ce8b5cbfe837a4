import { sql } from 'kysely'
import { z } from 'zod'
import type { Db } from '../database/database.ts'
import { named, pageOf, told } from '../http/answers.ts'
import { fail, type Router, uuid } from '../http/routing.ts'
import { zonelessTime } from '../http/time.ts'
import { createKey } from './keys.ts'

const tag = 'API keys'
const path = '/v2/auth/api-keys'
const byId = z.object({ apikey_id: uuid })
const NOT_FOUND = 'APIKey not found'

const keySchema = named(
  'ApiKey',
  z.object({
    id: uuid,
    value: z.string().meta({ description: 'Whole when the key is made, its end ever after' }),
    expires_on: z.string().meta({ description: 'UTC, without a zone' }),
    active: z.boolean(),
  }),
)
const keys = pageOf('ApiKeys', keySchema)
const shown = {
  id: '5f0c1c0e-8f57-4a53-9d8b-6a1f0c9be001',
  value: 'pak-…x7Qf',
  expires_on: '2026-03-31T12:00:00.000000',
  active: true,
}

interface Row {
  id: string
  hint: string
  expires_on: Date
  active: boolean
}
const answer = (row: Row) => ({
  id: row.id,
  value: row.hint,
  expires_on: zonelessTime(row.expires_on),
  active: row.active,
})

/** `/v2/auth/api-keys`. The value is whole in the answer to POST only. @see docs/wire.md#api-keys */
export const keyRoutes = (router: Router, db: Db): void => {
  const own = (user: string) =>
    db
      .selectFrom('apikey')
      .select(['id', 'hint', 'expires_on', 'active'])
      .where('user_email', '=', user)
      .where('deleted', '=', false)

  router.add(
    {
      ...{ method: 'get', path, tag, summary: 'List API keys' },
      responses: {
        200: told('Your keys, masked', keys, { total_records: 0, page_count: 1, results: [shown] }),
      },
    },
    async ({ reply, user }) => {
      const rows = await own(user).orderBy('created_at', 'desc').execute()
      return reply.json(200, {
        total_records: 0,
        page_count: rows.length,
        results: rows.map(answer),
      })
    },
  )
  router.add(
    {
      ...{ method: 'post', path, tag, summary: 'Create an API key' },
      body: z.looseObject({}),
      bodyOptional: true,
      example: {},
      responses: {
        200: told('The key, shown once', keySchema, {
          ...shown,
          value: 'pak-0123456789abcdefghijklmnopqrstuv',
        }),
        412: 'Two keys exist',
      },
    },
    // Without `once`: its answer holds a secret, and answers of keys are kept.
    async ({ reply, user }) => {
      const key = await createKey(db, user)
      if (!key)
        return fail(412, 'You already have 2 API Keys registered. Delete one and try again.')
      return reply.json(200, { ...key, expires_on: zonelessTime(key.expires_on) })
    },
  )
  router.add(
    {
      ...{ method: 'patch', path, tag, summary: 'Switch an API key on or off' },
      query: byId,
      body: z.looseObject({ active: z.boolean() }),
      example: { active: false },
      responses: { 200: told('The key', keySchema, shown), 404: NOT_FOUND },
    },
    async ({ reply, user, query, body }) => {
      const row = await db
        .updateTable('apikey')
        .set({ active: body.active })
        .where('id', '=', query.apikey_id)
        .where('user_email', '=', user)
        .where('deleted', '=', false)
        .returning(['id', 'hint', 'expires_on', 'active'])
        .executeTakeFirst()
      return row ? reply.json(200, answer(row)) : fail(404, NOT_FOUND)
    },
  )
  router.add(
    {
      ...{ method: 'delete', path, tag, summary: 'Delete an API key' },
      query: byId,
      responses: { 204: 'Gone', 404: NOT_FOUND },
    },
    async ({ reply, user, query }) => {
      const { numUpdatedRows } = await db
        .updateTable('apikey')
        .set({ deleted: true, active: false, last_used_at: sql`last_used_at` })
        .where('id', '=', query.apikey_id)
        .where('user_email', '=', user)
        .where('deleted', '=', false)
        .executeTakeFirst()
      return numUpdatedRows ? reply.empty(204) : fail(404, NOT_FOUND)
    },
  )
}
