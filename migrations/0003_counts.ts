import { type Kysely, sql } from 'kysely'

/**
 * Tasks of an inference by their end, kept beside the counts of steps: a step's change moves them by
 * one and reads no other task. `shown` is what a list shows of the request, so that it reads no
 * whole config.
 */
const statements = [
  `alter table inf_inference
     add column planner_status varchar(20) not null default 'READY',
     add column work_total int not null default 0,
     add column work_finished int not null default 0,
     add column work_failed int not null default 0,
     add column work_stopped int not null default 0,
     add column shown jsonb`,
  `update inf_inference set
     planner_status = coalesce((select status from inf_task t
       where t.inference_id = inf_inference.id and t.planning limit 1), 'READY'),
     work_total = (select count(*) from inf_task t
       where t.inference_id = inf_inference.id and not t.planning),
     work_finished = (select count(*) from inf_task t
       where t.inference_id = inf_inference.id and not t.planning and t.status = 'FINISHED'),
     work_failed = (select count(*) from inf_task t
       where t.inference_id = inf_inference.id and not t.planning and t.status = 'FAILED'),
     work_stopped = (select count(*) from inf_task t
       where t.inference_id = inf_inference.id and not t.planning and t.status = 'STOPPED')`,
  `create index inf_inference_open on inf_inference (created_by)
     where not deleted and status in ('PENDING', 'RUNNING')`,
]

export const up = async (db: Kysely<unknown>): Promise<void> => {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

export const down = async (db: Kysely<unknown>): Promise<void> => {
  await sql`drop index inf_inference_open`.execute(db)
  await sql`alter table inf_inference drop column planner_status, drop column work_total,
    drop column work_finished, drop column work_failed, drop column work_stopped,
    drop column shown`.execute(db)
}
