import { type Kysely, sql } from 'kysely'

/**
 * What a user's quota counts: tasks that a run was asked for (before its planner has written them),
 * and bytes that a run and a script keep in the store. The tune's id stands apart, so that a filter
 * reads no config.
 */
const statements = [
  `alter table inf_inference
     add column fine_tuning_id varchar(100),
     add column expected_tasks int not null default 1,
     add column stored_bytes bigint not null default 0`,
  `update inf_inference set fine_tuning_id = left(inference_config->>'fine_tuning_id', 100)`,
  `alter table inf_generic_processor add column stored_bytes bigint not null default 0`,
]

export const up = async (db: Kysely<unknown>): Promise<void> => {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

export const down = async (db: Kysely<unknown>): Promise<void> => {
  await sql`alter table inf_inference drop column fine_tuning_id, drop column expected_tasks,
    drop column stored_bytes`.execute(db)
  await sql`alter table inf_generic_processor drop column stored_bytes`.execute(db)
}
