import { sql } from 'kysely'
import type { Db } from '../database/database.ts'

const RUNS = 20

/**
 * Seconds of a task of this model, median of its last runs by step; null where none has ended yet.
 *
 * Steps keep whole seconds without a zone.
 */
export const expectedSeconds = async (db: Db, modelId: string): Promise<number | null> => {
  const { rows } = await sql<{ seconds: number | null }>`
    with tasks as (
      select t.pipeline_steps from inf_task t join inf_inference i on i.id = t.inference_id
      where i.model_id = ${modelId} and not t.planning and t.status = 'FINISHED'
      order by t.updated_at desc limit ${RUNS}
    ), spans as (
      select (select sum(extract(epoch from (step->>'end_time')::timestamp
                                          - (step->>'start_time')::timestamp))
              from json_array_elements(pipeline_steps) step) as seconds
      from tasks
    )
    select percentile_cont(0.5) within group (order by seconds)::float8 as seconds from spans`.execute(
    db,
  )
  return rows[0]?.seconds ?? null
}
