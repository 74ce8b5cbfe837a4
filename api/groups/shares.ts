import { sql } from 'kysely'
import { z } from 'zod'
import type { Db } from '../database/database.ts'
import { timeText, told } from '../http/answers.ts'
import { cursorOfArray, placeOf } from '../http/cursors.ts'
import { inTransaction } from '../http/idempotency.ts'
import { timeOf } from '../http/newest.ts'
import { arrayPaging, fail, KEY_USED, type Router, uuid, uuidParams } from '../http/routing.ts'
import { aShare, share, sharedNow, shares } from './answers.ts'
import { lower, membersOf, refusals } from './members.ts'

const tag = 'Groups'
const one = '/v2/groups/:id'
const NOT_YOURS = 'You can only share artifacts that you own'

/** Place in the list of what a group shares: since when, the type, the id. */
const granted = z.tuple([timeText, z.string().max(20), z.string().max(100)])
const artifact = z.looseObject({
  artifact_type: z.enum(['dataset', 'tune', 'backbone', 'model', 'task_template', 'inference_run']),
  artifact_id: z.string().min(1).max(100),
})
const artifactParams = z.object({
  id: uuid,
  type: z.string().max(20),
  artifact_id: z.string().max(100),
})
/** As it is kept: a tune's id is a name, the others are UUIDs as Postgres writes them. */
const artifactId = (type: string, id: string) => (type === 'tune' ? id : lower(id))

/** `/v2/groups/{id}/artifacts`: what a group shares. @see docs/wire.md#groups */
export const shareRoutes = (router: Router, db: Db): void => {
  const { roleOf, mustBe } = membersOf(db)
  router.add(
    {
      ...{ method: 'get', path: `${one}/artifacts`, tag },
      summary: 'What a group shares; with a cursor some of it, and a Link header (next) to more',
      params: uuidParams,
      query: arrayPaging,
      responses: { 200: told('Artifacts', shares, [aShare]), ...refusals },
    },
    async ({ reply, user, params, query }) => {
      await mustBe(params.id, user, 'member')
      const { cursor, limit } = query
      const after = placeOf(cursor, granted)
      const rows = await db
        .selectFrom('artifact_permissions')
        .select(['group_id', 'artifact_type', 'artifact_id', 'granted_by'])
        .select(timeOf(sql.ref('granted_at')).as('granted_at'))
        .where('group_id', '=', params.id)
        .$if(!!after, (q) =>
          q.where(
            sql<boolean>`(artifact_permissions.granted_at, artifact_type, artifact_id)
              > (${after![0]}::timestamptz, ${after![1]}, ${after![2]})`,
          ),
        )
        .orderBy('artifact_permissions.granted_at')
        .orderBy('artifact_type')
        .orderBy('artifact_id')
        .$if(cursor !== undefined, (q) => q.limit(limit))
        .execute()
      const places = rows.map((row) => [row.granted_at, row.artifact_type, row.artifact_id])
      return reply.array(200, rows, async (some) => some, cursorOfArray(places, query))
    },
  )
  const ownerOf = async (trx: Db, type: string, id: string): Promise<string | undefined> => {
    if (type === 'tune')
      return (
        await trx.selectFrom('tune').select('created_by').where('id', '=', id).executeTakeFirst()
      )?.created_by
    const table =
      type === 'model' ? 'inf_model' : type === 'inference_run' ? 'inf_inference' : undefined
    if (!table || !z.guid().safeParse(id).success) return undefined
    const found = trx
      .selectFrom(table)
      .select('created_by')
      .where('id', '=', id)
      .where('deleted', '=', false)
    return (await found.executeTakeFirst())?.created_by
  }
  router.add(
    {
      ...{
        method: 'post',
        path: `${one}/artifacts`,
        tag,
        summary: 'Share a model or an inference',
      },
      params: uuidParams,
      body: artifact,
      once: true,
      example: { artifact_type: 'model', artifact_id: aShare.artifact_id },
      responses: { 201: told('Shared', share, sharedNow), ...refusals, ...KEY_USED },
    },
    async ({ reply, db, user, params, body }) =>
      inTransaction(db, async (trx) => {
        await mustBe(params.id, user, 'member', trx)
        const { artifact_type } = body
        if ((await ownerOf(trx, artifact_type, body.artifact_id)) !== user)
          return fail(403, NOT_YOURS)
        const artifact_id = artifactId(artifact_type, body.artifact_id)
        await trx
          .insertInto('artifact_permissions')
          .values({ group_id: params.id, artifact_type, artifact_id, granted_by: user })
          .onConflict((conflict) => conflict.doNothing())
          .execute()
        return reply.json(201, {
          group_id: params.id,
          artifact_type,
          artifact_id,
          granted_by: user,
        })
      }),
  )
  router.add(
    {
      ...{
        method: 'delete',
        path: `${one}/artifacts/:type/:artifact_id`,
        tag,
        summary: 'Stop sharing',
      },
      params: artifactParams,
      responses: { 204: 'Gone', ...refusals },
    },
    async ({ reply, user, params }) => {
      await mustBe(params.id, user, 'member')
      const mine = (await roleOf(params.id, user)) === 'owner'
      const { numDeletedRows } = await db
        .deleteFrom('artifact_permissions')
        .where('group_id', '=', params.id)
        .where('artifact_type', '=', params.type)
        .where('artifact_id', '=', artifactId(params.type, params.artifact_id))
        .$if(!mine, (q) => q.where('granted_by', '=', user))
        .executeTakeFirst()
      return numDeletedRows ? reply.empty(204) : fail(404, 'Artifact not found')
    },
  )
}
