import { sql } from 'kysely'
import { INFERENCE_ENDS, TASK_ENDS } from '../pipelines/status.ts'
import type { Db } from './database/database.ts'
import { removeFiles } from './models/weights.ts'
import { PROCESSORS } from './storage/keys.ts'
import type { Store } from './storage/store.ts'

/** Rows of one statement: no lock is held for long. */
const MOST = 1000
const ROUNDS = 100

/** What was removed, by what it was. */
export type Removed = Record<string, number>

/** Runs a statement that removes at most MOST rows until it finds none. */
const inRounds = async (remove: () => Promise<number>): Promise<number> => {
  let all = 0
  for (let round = 0; round < ROUNDS; round++) {
    const removed = await remove()
    all += removed
    if (removed < MOST) break
  }
  return all
}
const rowsOf = async (query: Promise<{ numAffectedRows?: bigint | undefined }>): Promise<number> =>
  Number((await query).numAffectedRows ?? 0)

/** Deleted inferences of which the store holds nothing any more: their tasks, events, and the row. */
const removeInferences = (db: Db, before: Date): Promise<number> =>
  db.transaction().execute(async (trx) => {
    const { rows } = await sql<{ id: string }>`
      select id from inf_inference where deleted and purged and updated_at < ${before}
      order by updated_at limit 100 for update skip locked`.execute(trx)
    const ids = rows.map(({ id }) => id)
    if (ids.length === 0) return 0
    const tasks = trx.selectFrom('inf_task').select('task_id').where('inference_id', 'in', ids)
    await trx.deleteFrom('step_log').where('task_id', 'in', tasks).execute()
    await trx.deleteFrom('inf_task').where('inference_id', 'in', ids).execute()
    await trx.deleteFrom('notification').where('event_id', 'in', ids).execute()
    await trx
      .deleteFrom('artifact_permissions')
      .where('artifact_type', '=', 'inference_run')
      .where('artifact_id', 'in', ids)
      .execute()
    await trx.deleteFrom('inf_inference').where('id', 'in', ids).execute()
    return ids.length
  })

/** Deleted scripts that no inference names; their files first, so that none is left without a row. */
const removeProcessors = async (db: Db, store: Store, before: Date): Promise<number> => {
  const { rows } = await sql<{ id: string }>`
    select id from inf_generic_processor p where deleted and updated_at < ${before}
      and not exists (select from inf_inference i where i.generic_processor_id = p.id)
    limit ${MOST}`.execute(db)
  for (const { id } of rows) {
    await store.removeBelow(`${PROCESSORS}/${id}`)
    await db.deleteFrom('inf_generic_processor').where('id', '=', id).execute()
  }
  return rows.length
}

/** Deleted models that no inference names, and their files where nothing else names them. */
const removeModels = async (db: Db, store: Store, before: Date): Promise<number> => {
  const { rows } = await sql<{ inference: unknown }>`
    delete from inf_model m where deleted and updated_at < ${before}
      and not exists (select from inf_inference i where i.model_id = m.id)
    returning inference`.execute(db)
  for (const { inference } of rows) await removeFiles(db, store, inference)
  return rows.length
}

/**
 * Removes what is older than `days` and of no more use: events of inferences that have ended, log
 * rows of tasks that have ended (their logs are in the store), kept answers of idempotency keys,
 * deleted rows with the objects that were theirs. Every process may do it: it does no harm twice.
 *
 * @throws StoreError while the store is away; what was removed until then stays removed
 */
export const removeOld = async (db: Db, store: Store, days: number): Promise<Removed> => {
  const before = new Date(Date.now() - days * 86_400_000)
  const notifications = await inRounds(() =>
    rowsOf(
      sql`delete from notification where seq in (
        select seq from notification n where timestamp < ${before}
          and not exists (select from inf_inference i where i.id = n.inference_id
            and i.status not in (${sql.join(INFERENCE_ENDS)}))
        order by timestamp limit ${MOST})`.execute(db),
    ),
  )
  const logs = await rowsOf(
    sql`delete from step_log where task_id in (
      select task_id from inf_task where updated_at < ${before}
        and status in (${sql.join(TASK_ENDS)}) and task_id in (select task_id from step_log))`.execute(
      db,
    ),
  )
  const idempotency_keys = await rowsOf(
    sql`delete from idempotency where created_at < now() - interval '24 hours'`.execute(db),
  )
  let inferences = 0
  for (let round = 0; round < ROUNDS; round++) {
    const removed = await removeInferences(db, before)
    inferences += removed
    if (removed === 0) break
  }
  const processors = await removeProcessors(db, store, before)
  const models = await removeModels(db, store, before)
  const step_runs = await inRounds(() =>
    rowsOf(
      sql`delete from step_run where (key, created_by, engine) in (
        select key, created_by, engine from step_run where finished_at < ${before}
        order by finished_at limit ${MOST})`.execute(db),
    ),
  )
  const api_keys = await rowsOf(
    sql`delete from apikey where deleted and greatest(created_at, last_used_at) < ${before}`.execute(
      db,
    ),
  )
  const all = {
    notifications,
    logs,
    idempotency_keys,
    inferences,
    processors,
    models,
    step_runs,
    api_keys,
  }
  return Object.fromEntries(Object.entries(all).filter(([, count]) => count > 0))
}
