import { type Kysely, sql } from 'kysely'

/**
 * Tunes that users upload, and models that they deploy: a job brings the config and the checkpoint
 * and exports them once, before the first inference. A job's row is its lease.
 */
const statements = [
  `create table model_job (
    id uuid primary key default gen_random_uuid(),
    tune_id varchar(100) references tune on delete cascade,
    model_id uuid references inf_model on delete cascade,
    config_url varchar(8000) not null,
    checkpoint_url varchar(8000) not null,
    status varchar(20) not null default 'READY',
    attempt int not null default 0,
    fence int not null default 0,
    lease_until timestamptz,
    not_before timestamptz,
    created_at timestamptz not null default now(),
    check (num_nonnulls(tune_id, model_id) = 1)
  )`,
  `create index model_job_open on model_job (created_at) where status in ('READY', 'RUNNING')`,
  `alter table tune
     add column error jsonb,
     add column stored_bytes bigint not null default 0`,
  `alter table tune alter column inference drop not null`,
]

export const up = async (db: Kysely<unknown>): Promise<void> => {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

export const down = async (db: Kysely<unknown>): Promise<void> => {
  await sql`drop table model_job`.execute(db)
  await sql`alter table tune drop column error, drop column stored_bytes`.execute(db)
}
