import { type Kysely, sql } from 'kysely'

/**
 * `failures`: tries of the step at hand that failed. `deaths`: holders of the task, since a step of
 * it last finished, that ended without a word. `attempt` goes on counting claims. `purged`: what a
 * deleted inference made is gone from the store too.
 */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`alter table inf_task
    add column failures int not null default 0,
    add column deaths int not null default 0`.execute(db)
  await sql`alter table inf_inference add column purged boolean not null default false`.execute(db)
  await sql`create index inf_inference_unpurged on inf_inference (updated_at)
    where deleted and not purged`.execute(db)
}

export const down = async (db: Kysely<unknown>): Promise<void> => {
  await sql`alter table inf_task drop column failures, drop column deaths`.execute(db)
  await sql`alter table inf_inference drop column purged`.execute(db)
}
