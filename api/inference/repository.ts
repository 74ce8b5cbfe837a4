import { sql } from 'kysely'
import { INFERENCE_ENDS, TASK_ENDS } from '../../pipelines/status.ts'
import type { Config } from '../config.ts'
import { type Db, json, notify, type WireStep } from '../database/database.ts'
import { inTransaction } from '../http/idempotency.ts'
import { numbered, placeOf } from '../http/cursors.ts'
import { newestFirst, newestPage } from '../http/newest.ts'
import { inOrder } from '../http/pages.ts'
import { visible } from '../database/visibility.ts'
import { checkRuns } from '../quota/runs.ts'
import { lockInference, recount } from './counts.ts'
import { log } from '../watch/log.ts'
import { inSpan, openTraceparent, validTraceparent } from '../watch/tracing.ts'
import type { Prepared } from './create.ts'
import { type Asked, type InferenceRow, shownInLists } from './schema.ts'

const PLANNER = 'inference-planner'

/** All but what was asked for, which may be large. */
const COLUMNS = [
  'inf_inference.id',
  'inf_inference.description',
  'inf_inference.location',
  'inf_inference.geoserver_layers',
  'inf_inference.demo',
  'inf_inference.status',
  'inf_inference.model_id',
  'inf_inference.generic_processor_id',
  'inf_inference.inference_output',
  'inf_inference.tasks_count_total',
  'inf_inference.tasks_count_success',
  'inf_inference.tasks_count_failed',
  'inf_inference.tasks_count_stopped',
  'inf_inference.tasks_count_waiting',
  'inf_inference.planner_status',
  'inf_inference.work_total',
  'inf_inference.work_finished',
  'inf_inference.work_failed',
  'inf_inference.work_stopped',
  'inf_inference.fine_tuning_id',
  'inf_inference.expected_tasks',
  'inf_inference.stored_bytes',
  'inf_inference.purged',
  'inf_inference.active',
  'inf_inference.deleted',
  'inf_inference.created_by',
  'inf_inference.updated_by',
  'inf_inference.created_at',
  'inf_inference.updated_at',
] as const

const ASKED = sql<Asked>`json_build_object(
  'spatial_domain', inference_config->'spatial_domain',
  'temporal_domain', inference_config->'temporal_domain',
  'fine_tuning_id', inference_config->'fine_tuning_id',
  'generic_processor', inference_config->'generic_processor',
  'maxcc', inference_config->'maxcc')`

const NEWEST = newestFirst('inf_inference')
interface Page {
  readonly limit?: number | undefined
  readonly skip: number
  readonly cursor?: string | undefined
}

/** Reads and writes of `inf_inference` by clients; the runner's are in runs/. */
export const inferenceRepository = (db: Db, config: Config) => {
  const system = config.DEFAULT_SYSTEM_USER
  const live = () =>
    db
      .selectFrom('inf_inference')
      .innerJoin('inf_model', 'inf_model.id', 'inf_inference.model_id')
      .where('inf_inference.deleted', '=', false)
  const rows = () => live().select(COLUMNS).select('inf_model.display_name as model_display_name')
  const readable = (user: string) => visible(user, system, 'inference_run', 'inf_inference')
  const whole = (id: string) => rows().select(ASKED.as('asked')).where('inf_inference.id', '=', id)

  return {
    /** `client`: the traceparent of its request, kept where this process traces nothing itself. */
    create: async (user: string, prepared: Prepared, client?: string): Promise<InferenceRow> => {
      const { config: run, model, processor } = prepared
      const attributes = { 'geodag.model': model.display_name, 'enduser.id': user }
      const insert = async (trx: Db, traceparent: string | undefined) => {
        await checkRuns(trx, config, user, prepared.scenes)
        const { id } = await trx
          .insertInto('inf_inference')
          .values({
            description: (run.description as string | null) ?? null,
            location: (run.location as string | null) ?? null,
            inference_config: JSON.stringify(run),
            geoserver_layers: json(run.geoserver_layers),
            demo: json(run.demo),
            inference_output: json(run.inference_output),
            shown: json(shownInLists(run)),
            fine_tuning_id: (run.fine_tuning_id as string | null) ?? null,
            expected_tasks: prepared.scenes,
            model_id: model.id,
            generic_processor_id: processor?.id ?? null,
            created_by: user,
            updated_by: user,
            traceparent: traceparent ?? null,
          })
          .returning('id')
          .executeTakeFirstOrThrow()
        const step: WireStep = { status: 'READY', process_id: PLANNER, step_number: 0 }
        await trx
          .insertInto('inf_task')
          .values({
            task_id: `${id}-task_planning`,
            inference_id: id,
            planning: true,
            pipeline_steps: JSON.stringify([step]),
            config: null,
            inference_folder: id,
            runner: null,
          })
          .execute()
        await notify(trx, 'geodag_task', id)
        return id
      }
      const id = await inSpan('inference', { attributes }, async (span) => {
        const traceparent = openTraceparent() ?? validTraceparent(client)
        const made = await inTransaction(db, (trx) => insert(trx, traceparent))
        span.setAttribute('geodag.inference', made)
        log.info({ inference: made, user, model: model.display_name }, 'inference made')
        return made
      })
      return whole(id).executeTakeFirstOrThrow()
    },

    /** Where a page's rows stand (time, id), newest first, and how many there are in all. */
    list: async (user: string, filter: ListFilter) => {
      const where = live()
        .where(readable(user))
        .$if(!!filter.model_id, (q) => q.where('inf_inference.model_id', '=', filter.model_id!))
        .$if(!!filter.created_by, (q) =>
          q.where('inf_inference.created_by', '=', filter.created_by!),
        )
        .$if(filter.location !== undefined, (q) =>
          q.where('inf_inference.location', '=', filter.location!),
        )
        .$if(filter.tune_id !== undefined, (q) =>
          q.where('inf_inference.fine_tuning_id', '=', filter.tune_id!.toLowerCase()),
        )
        .$if(!!filter.status, (q) => q.where('inf_inference.status', '=', filter.status!))
        .$if(!!filter.generic_processor_id, (q) =>
          q.where('inf_inference.generic_processor_id', '=', filter.generic_processor_id!),
        )
        .$if(!!filter.q, (q) => {
          // Signs of LIKE stand for themselves.
          const like = `%${filter.q!.replace(/[\\%_]/g, '\\$&')}%`
          return q.where((at) =>
            at.or([
              at('inf_inference.location', 'ilike', like),
              at('inf_inference.description', 'ilike', like),
              at('inf_model.display_name', 'ilike', like),
            ]),
          )
        })
        .$if(filter.saved !== undefined, (q) =>
          q.where(
            sql<boolean>`inf_inference.demo->'demo' = ${JSON.stringify(filter.saved)}::jsonb`,
          ),
        )
      return newestPage(where, NEWEST, filter)
    },

    /** Rows as a list shows them: of a long request only the beginning. */
    listed: async (ids: string[]): Promise<InferenceRow[]> => {
      const found = await rows()
        .select(sql<Asked>`coalesce(shown::json, ${ASKED})`.as('asked'))
        .where('inf_inference.id', 'in', ids)
        .execute()
      return inOrder(ids, found, ({ id }) => id)
    },

    get: (user: string, id: string): Promise<InferenceRow | undefined> =>
      whole(id).where(readable(user)).executeTakeFirst(),

    /** Without what was asked: what can change while it runs. */
    state: (user: string, id: string) =>
      rows().where('inf_inference.id', '=', id).where(readable(user)).executeTakeFirst(),

    /** Whether the user may read it, and what an answer about its parts says of it. */
    seen: (user: string, id: string) =>
      live()
        .select(['inf_inference.id', 'inf_inference.status', 'inf_inference.created_by'])
        .select(sql<number>`pg_column_size(inference_config)`.as('config_bytes'))
        .where('inf_inference.id', '=', id)
        .where(readable(user))
        .executeTakeFirst(),

    /** Ids of its tasks, newest first. */
    taskIds: async (id: string, page: Page) => {
      const after = placeOf(page.cursor, numbered)
      const found = await db
        .selectFrom('inf_task')
        .select('id')
        .where('inference_id', '=', id)
        .$if(!!after, (q) => q.where('id', '<', after![0]))
        .orderBy('id', 'desc')
        .$if(page.limit !== undefined, (q) => q.limit(page.limit!))
        .offset(page.skip)
        .execute()
      return found.map((row) => row.id)
    },

    tasks: async (ids: string[]) => {
      const found = await db
        .selectFrom('inf_task')
        .select(['id', 'inference_id', 'task_id', 'inference_folder', 'status', 'pipeline_steps'])
        .where('id', 'in', ids)
        .execute()
      return inOrder(ids, found, (row) => row.id)
    },

    /** Stops every task that has not ended. @returns the status that the inference had. */
    cancel: (id: string): Promise<string> =>
      inTransaction(db, async (trx) => {
        await lockInference(trx, id)
        const { status } = await trx
          .selectFrom('inf_inference')
          .select('status')
          .where('id', '=', id)
          .executeTakeFirstOrThrow()
        if (!INFERENCE_ENDS.includes(status)) await stopTasks(trx, id, system)
        return status
      }),

    /** Hides the row and stops its tasks. */
    remove: (user: string, id: string): Promise<boolean> =>
      db.transaction().execute(async (trx) => {
        await lockInference(trx, id)
        const { numUpdatedRows } = await trx
          .updateTable('inf_inference')
          .set({ deleted: true, active: false, updated_at: sql`now()`, updated_by: user })
          .where('id', '=', id)
          .where('created_by', '=', user)
          .where('deleted', '=', false)
          .executeTakeFirst()
        if (numUpdatedRows === 0n) return false
        await stopTasks(trx, id, system)
        return true
      }),
  }
}

/** Every task that has not ended, in one statement, however many there are. */
const stopTasks = async (trx: Db, id: string, system: string): Promise<void> => {
  const ends = sql.join(TASK_ENDS)
  // A new fence: whatever a task's runner still writes no longer counts.
  await sql`
    update inf_task set status = 'STOPPED', fence = fence + 1, lease_until = null, updated_at = now(),
      pipeline_steps = (
        select json_agg(case when step->>'status' in (${ends}) then step
          else jsonb_set(step::jsonb, '{status}', '"STOPPED"')::json end order by place)
        from json_array_elements(pipeline_steps) with ordinality as one (step, place))
    where inference_id = ${id} and status not in (${ends})`.execute(trx)
  await recount(trx, id, system)
  await notify(trx, 'geodag_cancel', id)
}

export interface ListFilter {
  readonly model_id?: string | undefined
  readonly tune_id?: string | undefined
  readonly created_by?: string | undefined
  readonly location?: string | undefined
  readonly saved?: boolean | undefined
  readonly cursor?: string | undefined
  readonly limit: number
  readonly skip: number
  status?: string | undefined
  generic_processor_id?: string | undefined
  /** Words in its location, description or model's name, in any case */
  q?: string | undefined
}
export type InferenceRepository = ReturnType<typeof inferenceRepository>
