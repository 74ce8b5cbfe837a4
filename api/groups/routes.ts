import { sql } from 'kysely'
import { z } from 'zod'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import { timeText, told } from '../http/answers.ts'
import { cursorOfArray, placeOf } from '../http/cursors.ts'
import { inTransaction } from '../http/idempotency.ts'
import { timeOf } from '../http/newest.ts'
import { arrayPaging, fail, KEY_USED, type Router, uuid, uuidParams } from '../http/routing.ts'
import { inOrder } from '../http/pages.ts'
import { checkRecords } from '../quota/records.ts'
import { overQuota } from '../quota/runs.ts'
import { wireTime } from '../http/time.ts'
import { aGroup, group, groups } from './answers.ts'
import { lower, membersOf, refusals } from './members.ts'
import { shareRoutes } from './shares.ts'

const tag = 'Groups'
const path = '/v2/groups'
const one = `${path}/:id`
const LAST_OWNER = 'Cannot demote the last owner. Promote another member to owner first.'

/** Place in the list of groups, which is in the order that one came into them. */
const joined = z.tuple([timeText, uuid])
const email = z
  .string()
  .max(255)
  .regex(/^[^\s@]+@[^\s@]+$/, 'an e-mail address')
const role = z.enum(['owner', 'member'])
const memberParams = z.object({ id: uuid, email: z.string().max(255) })

/** `/v2/groups`: who shares what with whom. E-mails in lower case. @see docs/wire.md#groups */
export const groupRoutes = (router: Router, db: Db, config: Config): void => {
  const answers = async (ids: string[], trx: Db = db) => {
    const found = await trx.selectFrom('groups').selectAll().where('id', 'in', ids).execute()
    const members = await trx
      .selectFrom('group_members')
      .selectAll()
      .where('group_id', 'in', ids)
      .orderBy('added_at')
      .execute()
    return inOrder(ids, found, ({ id }) => id).map((group) => ({
      id: group.id,
      name: group.name,
      description: group.description,
      created_by: group.created_by,
      created_at: wireTime(group.created_at),
      members: members
        .filter(({ group_id }) => group_id === group.id)
        .map((m) => ({
          user_email: m.user_email,
          role: m.role,
          added_at: wireTime(m.added_at),
        })),
    }))
  }
  const { roleOf, mustBe } = membersOf(db)
  /** One that is there. */
  const answer = async (id: string, trx: Db = db) => (await answers([id], trx))[0]!
  /** @throws HttpError 400 when nobody else owns the group; under the group's lock */
  const mustKeepOwner = async (trx: Db, id: string, leaving: string): Promise<void> => {
    const others = await trx
      .selectFrom('group_members')
      .select('user_email')
      .where('group_id', '=', id)
      .where('role', '=', 'owner')
      .where('user_email', '!=', leaving)
      .execute()
    if ((await roleOf(id, leaving, trx)) === 'owner' && others.length === 0) fail(400, LAST_OWNER)
  }

  /** @throws HttpError 429 `quota.records`; under the group's lock */
  const checkMembers = async (trx: Db, id: string): Promise<void> => {
    const { count } = await trx
      .selectFrom('group_members')
      .select(sql<string>`count(*)`.as('count'))
      .where('group_id', '=', id)
      .executeTakeFirstOrThrow()
    const most = config.QUOTA_RECORDS
    if (Number(count) >= most)
      throw overQuota('quota.records', `A group may have ${most} members (QUOTA_RECORDS).`)
  }

  router.add(
    {
      ...{ method: 'post', path, tag, summary: 'Make a group; you own it' },
      body: z.looseObject({
        name: z.string().min(1).max(255),
        description: z.string().max(10_000).nullish(),
      }),
      once: true,
      example: { name: 'flood-team', description: 'Floods of the Ebro' },
      responses: { 201: told('The group', group, aGroup), 400: 'The name is taken', ...KEY_USED },
    },
    async ({ reply, db, user, body }) =>
      inTransaction(db, async (trx) => {
        await checkRecords(trx, config, user, 'groups')
        const row = await trx
          .insertInto('groups')
          .values({ name: body.name, description: body.description ?? null, created_by: user })
          .onConflict((conflict) => conflict.column('name').doNothing())
          .returning('id')
          .executeTakeFirst()
        if (!row) return fail(400, `Group with name '${body.name}' already exists`)
        await trx
          .insertInto('group_members')
          .values({ group_id: row.id, user_email: lower(user), role: 'owner' })
          .execute()
        return reply.json(201, await answer(row.id, trx))
      }),
  )
  router.add(
    {
      method: 'get',
      path,
      tag,
      summary: 'Your groups; with a cursor some of them, and a Link header (next) to more',
      query: arrayPaging,
      responses: { 200: told('Groups', groups, [aGroup]) },
    },
    async ({ reply, user, query }) => {
      const { cursor, limit } = query
      const after = placeOf(cursor, joined)
      const rows = await db
        .selectFrom('group_members')
        .select(['group_id', timeOf(sql.ref('added_at')).as('at')])
        .where('user_email', '=', lower(user))
        .$if(!!after, (q) =>
          q.where(
            sql<boolean>`(added_at, group_id) > (${after![0]}::timestamptz, ${after![1]}::uuid)`,
          ),
        )
        .orderBy('added_at')
        .orderBy('group_id')
        .$if(cursor !== undefined, (q) => q.limit(limit))
        .execute()
      const ids = rows.map((row) => row.group_id)
      const places = rows.map(({ at, group_id }) => [at, group_id])
      return reply.array(200, ids, answers, cursorOfArray(places, query))
    },
  )
  router.add(
    {
      method: 'get',
      path: one,
      tag,
      summary: 'A group',
      params: uuidParams,
      responses: { 200: told('It', group, aGroup), ...refusals },
    },
    async ({ reply, user, params }) => {
      await mustBe(params.id, user, 'member')
      return reply.json(200, await answer(params.id))
    },
  )
  router.add(
    {
      method: 'delete',
      path: one,
      tag,
      summary: 'Delete a group',
      params: uuidParams,
      responses: { 204: 'Gone', ...refusals },
    },
    async ({ reply, user, params }) => {
      await mustBe(params.id, user, 'owner')
      await db.deleteFrom('groups').where('id', '=', params.id).execute()
      return reply.empty(204)
    },
  )
  router.add(
    {
      ...{ method: 'post', path: `${one}/members`, tag, summary: 'Add a member' },
      params: uuidParams,
      body: z.looseObject({ user_email: email, role: role.default('member') }),
      once: true,
      example: { user_email: 'bob@example.org', role: 'member' },
      responses: {
        201: told('The group', group, aGroup),
        400: 'A member already',
        ...refusals,
        ...KEY_USED,
      },
    },
    async ({ reply, db, user, params, body }) =>
      // One transaction: the lock of `mustBe` holds, so that the group is not deleted in between.
      inTransaction(db, async (trx) => {
        await mustBe(params.id, user, 'owner', trx)
        await checkMembers(trx, params.id)
        const { numInsertedOrUpdatedRows } = await trx
          .insertInto('group_members')
          .values({ group_id: params.id, user_email: lower(body.user_email), role: body.role })
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst()
        if (!numInsertedOrUpdatedRows) return fail(400, `${body.user_email} is a member already`)
        return reply.json(201, await answer(params.id, trx))
      }),
  )
  router.add(
    {
      ...{
        method: 'delete',
        path: `${one}/members/:email`,
        tag,
        summary: 'Remove a member, or leave',
      },
      params: memberParams,
      responses: { 204: 'Gone', 400: LAST_OWNER, ...refusals },
    },
    async ({ reply, user, params }) =>
      db.transaction().execute(async (trx) => {
        const leaving = lower(params.email)
        await mustBe(params.id, user, leaving === lower(user) ? 'member' : 'owner', trx)
        await mustKeepOwner(trx, params.id, leaving)
        const { numDeletedRows } = await trx
          .deleteFrom('group_members')
          .where('group_id', '=', params.id)
          .where('user_email', '=', leaving)
          .executeTakeFirst()
        return numDeletedRows ? reply.empty(204) : fail(404, 'Member not found')
      }),
  )
  router.add(
    {
      ...{
        method: 'put',
        path: `${one}/members/:email/role`,
        tag,
        summary: "Change a member's role",
      },
      params: memberParams,
      body: z.looseObject({ role }),
      example: { role: 'owner' },
      responses: { 200: told('The group', group, aGroup), 400: LAST_OWNER, ...refusals },
    },
    async ({ reply, user, params, body }) =>
      db.transaction().execute(async (trx) => {
        await mustBe(params.id, user, 'owner', trx)
        if (body.role === 'member') await mustKeepOwner(trx, params.id, lower(params.email))
        const { numUpdatedRows } = await trx
          .updateTable('group_members')
          .set({ role: body.role })
          .where('group_id', '=', params.id)
          .where('user_email', '=', lower(params.email))
          .executeTakeFirst()
        return numUpdatedRows
          ? reply.json(200, await answer(params.id, trx))
          : fail(404, 'Member not found')
      }),
  )
  shareRoutes(router, db)
}
