import { type Kysely, sql } from 'kysely'

/**
 * What a model keeps in the store (its owner's quota counts it) and why its export has failed; when
 * a tune was changed; the request that an export's trace goes on from.
 */
const statements = [
  `alter table inf_model
     add column stored_bytes bigint not null default 0,
     add column error jsonb`,
  `alter table tune add column updated_at timestamptz not null default now()`,
  `update tune set updated_at = created_at`,
  `alter table model_job add column traceparent varchar(55)`,
]

export const up = async (db: Kysely<unknown>): Promise<void> => {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

export const down = async (db: Kysely<unknown>): Promise<void> => {
  await sql`alter table inf_model drop column stored_bytes, drop column error`.execute(db)
  await sql`alter table tune drop column updated_at`.execute(db)
  await sql`alter table model_job drop column traceparent`.execute(db)
}
