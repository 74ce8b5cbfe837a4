import { type Kysely, sql } from 'kysely'

/**
 * When a user's steps last finished, by the digest of what they were called with and the engine they
 * ran on: a dry run says of it what an engine may have already.
 */
const statements = [
  `create table step_run (
     key bytea not null,
     created_by varchar(150) not null,
     engine varchar(200) not null,
     finished_at timestamptz not null default now(),
     primary key (key, created_by, engine)
   )`,
  `create index step_run_time on step_run (finished_at)`,
]

export const up = async (db: Kysely<unknown>): Promise<void> => {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

export const down = async (db: Kysely<unknown>): Promise<void> => {
  await sql`drop table step_run`.execute(db)
}
