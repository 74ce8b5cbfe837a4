import { type Kysely, sql } from 'kysely'

/** The span of the request that made an inference (W3C Trace Context): its tasks' spans go on from it. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`alter table inf_inference add column traceparent text`.execute(db)
}

export const down = async (db: Kysely<unknown>): Promise<void> => {
  await sql`alter table inf_inference drop column traceparent`.execute(db)
}
