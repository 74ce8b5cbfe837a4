import { type Kysely, sql } from 'kysely'

/**
 * Requests by who asks and for what, counted over all API processes. Unlogged: a count is worth no
 * write-ahead log, and after a crash of the server it begins anew. Indexes serve what is removed by
 * its age.
 */
const statements = [
  `create unlogged table rate_limit (
     bucket text primary key,
     began timestamptz not null,
     hits int not null,
     before int not null,
     granted int not null,
     most int not null
   ) with (fillfactor = 50)`,
  `create index notification_time on notification (timestamp)`,
  `create index idempotency_time on idempotency (created_at)`,
  `create index inf_inference_deleted on inf_inference (updated_at) where deleted`,
  `create index inf_inference_processor on inf_inference (generic_processor_id)
     where generic_processor_id is not null`,
  `create index inf_inference_model on inf_inference (model_id)`,
]

export const up = async (db: Kysely<unknown>): Promise<void> => {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

export const down = async (db: Kysely<unknown>): Promise<void> => {
  await sql`drop table rate_limit`.execute(db)
  for (const name of ['notification_time', 'idempotency_time', 'inf_inference_deleted'])
    await sql`drop index ${sql.ref(name)}`.execute(db)
  for (const name of ['inf_inference_processor', 'inf_inference_model'])
    await sql`drop index ${sql.ref(name)}`.execute(db)
}
