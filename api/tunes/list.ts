import { sql } from 'kysely'
import { z } from 'zod'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import { visible } from '../database/visibility.ts'
import { told } from '../http/answers.ts'
import { pageHead } from '../http/cursors.ts'
import { namedId, newestFirst, newestPage } from '../http/newest.ts'
import { inOrder } from '../http/pages.ts'
import { wireTime } from '../http/time.ts'
import type { Ctx } from '../http/context.ts'
import { cursorPaging, fail, type Router, switchText } from '../http/routing.ts'
import { aTune, bothSchema, tuneAnswer, tunesSchema } from './answers.ts'

const tag = 'Tunes'
const MOST_STATUSES = 20
const NEWEST = newestFirst('tune', namedId)
const NEWEST_OF_BOTH = newestFirst('listed', namedId)

const filters = {
  name: z.string().max(200).optional().describe('Part of the name, in any case'),
  shared: switchText.describe("true: the system's; false: your own"),
  status: z.string().max(50).optional().describe('May be given several times'),
}

interface Listed {
  at: string
  id: string
  model_id: string | null
  name: string
  status: string
  description: string | null
  model_type: 'Tune' | 'Model'
  active: boolean
  created_by: string
  created_at: Date
  updated_at: Date
}

/** @throws HttpError 422 */
const statusesOf = (c: Ctx): string[] => {
  const given = c.req.queries('status') ?? []
  if (given.length <= MOST_STATUSES) return given
  const msg = `Value error, status is given ${given.length} times, at most ${MOST_STATUSES} are read`
  return fail(422, [{ type: 'value_error', loc: ['query', 'status'], msg }])
}

/** Lists of tunes, alone and beside the models. @see docs/wire.md#tunes */
export const tuneListRoutes = (
  router: Router,
  { db, config }: { db: Db; config: Config },
): void => {
  const system = config.DEFAULT_SYSTEM_USER
  const ownerIs = (user: string, shared: boolean | undefined) =>
    shared === undefined ? undefined : shared ? system : user

  router.add(
    {
      ...{ method: 'get', path: '/v2/tunes', tag, summary: 'Tunes that you can run, newest first' },
      query: z.object({ ...filters, ...cursorPaging }),
      responses: {
        200: told('Tunes', tunesSchema, {
          ...{ total_records: 1, page_count: 1 },
          results: [aTune],
        }),
      },
    },
    async ({ c, reply, user, query }) => {
      const owner = ownerIs(user, query.shared)
      const statuses = statusesOf(c)
      const found = db
        .selectFrom('tune')
        .where(visible(user, system, 'tune', 'tune'))
        .$if(owner !== undefined, (q) => q.where('created_by', '=', owner!))
        .$if(statuses.length > 0, (q) => q.where('status', 'in', statuses))
        .$if(!!query.name, (q) =>
          q.where(sql<boolean>`position(lower(${query.name}) in lower(name)) > 0`),
        )
      const { places, total } = await newestPage(found, NEWEST, query)
      const head = pageHead(total, places, query)
      const read = async (some: string[]) => {
        const rows = await found.selectAll().where('id', 'in', some).execute()
        return inOrder(some, rows, ({ id }) => id).map((row) => tuneAnswer(row, config))
      }
      const ids = places.map(([, id]) => id)
      return reply.list(200, 'results', { head, ids, read, rows: 3 })
    },
  )

  router.add(
    {
      ...{ method: 'get', path: '/v2/tunes-and-models', tag },
      summary: 'Tunes and models in one list, newest first',
      query: z.object({
        type: z.enum(['Tune', 'Model']).optional(),
        ...filters,
        ...cursorPaging,
      }),
      responses: {
        200: told('Tunes and models', bothSchema, {
          ...{ total_records: 1, page_count: 1 },
          results: [
            {
              ...{ id: aTune.id, name: aTune.name, status: aTune.status, shared: false },
              ...{ description: '', model_type: 'Tune', active_: true },
              created_by_: aTune.created_by,
              ...{ created_at_: aTune.created_at, updated_at_: aTune.created_at },
            },
          ],
        }),
      },
    },
    async ({ c, reply, user, query }) => {
      const { name, type, limit, skip, cursor } = query
      const owner = ownerIs(user, query.shared)
      const statuses = statusesOf(c)
      const tunes = sql`select id, null as model_id, name, status, description,
        'Tune' as model_type, true as active, created_by, created_at, updated_at
        from tune where ${visible(user, system, 'tune', 'tune')}`
      const models = sql`select internal_name as id, id::text as model_id, display_name as name,
        status, description, 'Model' as model_type, active, created_by, created_at, updated_at
        from inf_model where not deleted and ${visible(user, system, 'model', 'inf_model')}`
      const both =
        type === 'Tune' ? tunes : type === 'Model' ? models : sql`${tunes} union all ${models}`
      const found = sql`from (${both}) listed where true
        ${owner === undefined ? sql`` : sql`and created_by = ${owner}`}
        ${name ? sql`and position(lower(${name}) in lower(name)) > 0` : sql``}
        ${statuses.length ? sql`and status in (${sql.join(statuses)})` : sql``}`
      const { rows } = await sql<Listed>`select *, ${NEWEST_OF_BOTH.at} as at ${found}
        and ${NEWEST_OF_BOTH.after(cursor)} order by created_at desc, id limit ${limit} offset ${skip}`.execute(
        db,
      )
      const counted = await sql<{ total: string }>`select count(*) as total ${found}`.execute(db)
      const results = rows.map(
        ({ at: _at, created_at, updated_at, created_by, active, ...row }) => ({
          ...row,
          ...{ description: row.description ?? '', shared: created_by === system },
          ...{ active_: active, created_by_: created_by },
          ...{ created_at_: wireTime(created_at), updated_at_: wireTime(updated_at) },
        }),
      )
      const places = rows.map(({ at, id }) => [at, id])
      const head = pageHead(Number(counted.rows[0]!.total), places, query)
      return reply.json(200, { ...head(results.length), results })
    },
  )
}
