import { sql } from 'kysely'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import { HttpError } from '../http/errors.ts'

export const GIB = 1024 ** 3
const RETRY_SECONDS = 60

/** 429 with what was reached and what helps. */
export const overQuota = (type: string, msg: string): HttpError =>
  new HttpError(429, [{ type, msg }], { 'Retry-After': String(RETRY_SECONDS) })

/**
 * What is kept for a user: in the store, but for temporary uploads, and in the database, where a
 * request or a model may be large.
 */
const storedBytes = async (db: Db, user: string): Promise<number> => {
  const { rows } = await sql<{ bytes: string }>`
    select coalesce(sum(stored_bytes), 0) as bytes from (
      select stored_bytes + pg_column_size(inference_config) as stored_bytes
        from inf_inference where created_by = ${user} and not deleted
      union all
      select pg_column_size(coalesce(description, '')) + pg_column_size(coalesce(model_input_data_spec, 'null'))
        + pg_column_size(coalesce(geoserver_push, 'null')) + pg_column_size(coalesce(inference, 'null'))
        + pg_column_size(coalesce(postprocessing_options, 'null'))
        from inf_model where created_by = ${user} and not deleted
      union all
      select stored_bytes from inf_generic_processor where created_by = ${user} and not deleted
      union all
      select pg_column_size(train_options) from tune where created_by = ${user}
      union all
      -- a tune that is deployed as a model has its files once
      select max(stored_bytes) from (
        select stored_bytes, inference from tune where created_by = ${user}
        union all
        select stored_bytes, inference from inf_model where created_by = ${user} and not deleted
      ) models group by inference->'weights'->>'sha256', inference->'config'->>'sha256',
        inference->'checkpoint'->>'sha256'
    ) kept`.execute(db)
  return Number(rows[0]!.bytes)
}

/** @throws HttpError 429 `quota.stored` */
export const checkStored = async (db: Db, config: Config, user: string): Promise<void> => {
  if ((await storedBytes(db, user)) >= config.QUOTA_STORED_GIB * GIB)
    throw overQuota(
      'quota.stored',
      `Your outputs, scripts, tunes and models take ${config.QUOTA_STORED_GIB} GiB or more (QUOTA_STORED_GIB): delete inferences, processors, tunes or models that you no longer need.`,
    )
}

/**
 * Whether a user may start a run of so many scenes; in the transaction that writes it, one of a
 * user's at a time.
 *
 * @throws HttpError 429 `quota.inferences`, `quota.tasks`, `quota.stored`
 */
export const checkRuns = async (
  trx: Db,
  config: Config,
  user: string,
  scenes: number,
): Promise<void> => {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`quota ${user}`}, 0))`.execute(trx)
  const { rows } = await sql<{ runs: number; tasks: number }>`
    select count(*)::int as runs, coalesce(sum(case when work_total = 0 then expected_tasks
      else work_total - work_finished - work_failed - work_stopped end), 0)::int as tasks
    from inf_inference
    where created_by = ${user} and not deleted and status in ('PENDING', 'RUNNING')`.execute(trx)
  const { runs, tasks } = rows[0]!
  if (runs >= config.QUOTA_INFERENCES)
    throw overQuota(
      'quota.inferences',
      `${runs} of your inferences have not ended, and at most ${config.QUOTA_INFERENCES} may be under way (QUOTA_INFERENCES): wait for some, or cancel them.`,
    )
  if (tasks + scenes > config.QUOTA_TASKS)
    throw overQuota(
      'quota.tasks',
      `${tasks} of your tasks have not ended, and with these ${scenes} more than ${config.QUOTA_TASKS} would be under way (QUOTA_TASKS): wait for some, cancel them, or ask for fewer scenes.`,
    )
  await checkStored(trx, config, user)
}
