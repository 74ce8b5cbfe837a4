import { type Kysely, sql } from 'kysely'

/**
 * `failures`: tries of a job that failed, which alone use up its tries. `deaths`: how often a holder
 * ended without a word, or its session under it. `attempt` goes on counting claims.
 */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`alter table model_job
    add column failures int not null default 0, add column deaths int not null default 0`.execute(
    db,
  )
}

export const down = async (db: Kysely<unknown>): Promise<void> => {
  await sql`alter table model_job drop column failures, drop column deaths`.execute(db)
}
