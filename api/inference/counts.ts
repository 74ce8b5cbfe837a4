import { sql } from 'kysely'
import {
  countsFrom,
  INFERENCE_ENDS,
  moved,
  statusOfWork,
  type TaskState,
  workOf,
} from '../../pipelines/status.ts'
import type { Db } from '../database/database.ts'
import { publish } from './events.ts'

/** Locks an inference's row; every change of its tasks is made under this lock, in this order. */
export const lockInference = async (trx: Db, id: string): Promise<void> => {
  await trx.selectFrom('inf_inference').select('id').where('id', '=', id).forUpdate().execute()
}

const COLUMNS = [
  'planner_status',
  'work_total',
  'work_finished',
  'work_failed',
  'work_stopped',
  'tasks_count_total',
  'tasks_count_success',
  'tasks_count_failed',
  'tasks_count_stopped',
  'tasks_count_waiting',
] as const

/** What the tasks themselves say, counted in Postgres: no task's steps are read into this process. */
const counted = async (trx: Db, id: string) => {
  const tasks = await sql<{ planning: boolean; status: string; count: number }>`
    select planning, status, count(*)::int from inf_task
    where inference_id = ${id} group by planning, status`.execute(trx)
  const steps = await sql<{ status: string; count: number }>`
    select step->>'status' as status, count(*)::int
    from inf_task, json_array_elements(pipeline_steps) as step
    where inference_id = ${id} group by 1`.execute(trx)
  const total = (status?: string) =>
    tasks.rows
      .filter((row) => !row.planning && (status === undefined || row.status === status))
      .reduce((sum, row) => sum + row.count, 0)
  return {
    planner_status: workOf(tasks.rows).planner_status,
    work_total: total(),
    work_finished: total('FINISHED'),
    work_failed: total('FAILED'),
    work_stopped: total('STOPPED'),
    ...countsFrom(Object.fromEntries(steps.rows.map(({ status, count }) => [status, count]))),
  }
}

/** Derives status and counts from all tasks and tells the listeners; under `lockInference`. */
export const recount = async (trx: Db, id: string, system: string): Promise<string> => {
  const now = await counted(trx, id)
  const status = statusOfWork(now)
  await trx
    .updateTable('inf_inference')
    .set({ status, ...now, updated_at: sql`now()` })
    .where('id', '=', id)
    .execute()
  await publish(trx, id, 'Inf:Task:Updated', { status }, system)
  return status
}

/**
 * Moves status and counts by what one task's change is, and tells the listeners; under
 * `lockInference`. It costs the same however many tasks there are. A planner's change, which may
 * have added tasks, and an inference's end are counted anew: an end is never a matter of sums.
 */
export const taskMoved = async (
  trx: Db,
  id: string,
  before: TaskState,
  after: TaskState,
  system: string,
): Promise<void> => {
  if (after.planning) return void (await recount(trx, id, system))
  const held = await trx
    .selectFrom('inf_inference')
    .select(COLUMNS)
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  const next = moved(held, before, after)
  const status = statusOfWork(next)
  if (INFERENCE_ENDS.includes(status)) return void (await recount(trx, id, system))
  await trx
    .updateTable('inf_inference')
    .set({ status, ...next, updated_at: sql`now()` })
    .where('id', '=', id)
    .execute()
  await publish(trx, id, 'Inf:Task:Updated', { status }, system)
}

/** Counts some of the inferences that still run anew. @returns those that were wrong */
export const recountOpen = async (db: Db, system: string, limit = 50): Promise<string[]> => {
  const open = await db
    .selectFrom('inf_inference')
    .select('id')
    .where('deleted', '=', false)
    .where('status', 'in', ['PENDING', 'RUNNING'])
    .where('updated_at', '<', sql<Date>`now() - interval '1 minute'`)
    .orderBy(sql`random()`)
    .limit(limit)
    .execute()
  const wrong: string[] = []
  for (const { id } of open)
    await db.transaction().execute(async (trx) => {
      await lockInference(trx, id)
      const [held, now] = [
        await trx
          .selectFrom('inf_inference')
          .select(COLUMNS)
          .where('id', '=', id)
          .executeTakeFirstOrThrow(),
        await counted(trx, id),
      ]
      if (COLUMNS.every((name) => held[name] === now[name])) return
      wrong.push(id)
      await recount(trx, id, system)
    })
  return wrong
}
