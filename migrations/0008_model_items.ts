import { type Kysely, sql } from 'kysely'

/** A model's licence, and the STAC MLM Item that it was registered by: its words come out again. */
export const up = async (db: Kysely<unknown>): Promise<void> => {
  await sql`alter table inf_model add column licence varchar(200), add column mlm jsonb`.execute(db)
}

export const down = async (db: Kysely<unknown>): Promise<void> => {
  await sql`alter table inf_model drop column licence, drop column mlm`.execute(db)
}
