import { type Kysely, sql } from 'kysely'

/**
 * Engines that answer, as each of their runners saw them last, and what a task's steps have in
 * common with others (model and scene): it goes to the engine whose cache may know it.
 */
const statements = [
  `create table engine (
     id varchar(200) not null,
     runner varchar(100) not null,
     seen_at timestamptz not null default now(),
     primary key (id, runner)
   )`,
  `alter table inf_task add column affinity varchar(32)`,
]

export const up = async (db: Kysely<unknown>): Promise<void> => {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

export const down = async (db: Kysely<unknown>): Promise<void> => {
  await sql`alter table inf_task drop column affinity`.execute(db)
  await sql`drop table engine`.execute(db)
}
