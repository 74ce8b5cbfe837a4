import { type Kysely, sql } from 'kysely'

/** Tables that answer as docs/wire.md says, and leases, fences, counts, an event sequence. */
const statements = `
create table "user" (
  id uuid primary key default gen_random_uuid(),
  email varchar(150) not null unique,
  first_name varchar(50) not null default '',
  last_name varchar(50) not null default '',
  created_at timestamptz not null default now()
);
create table apikey (
  id uuid primary key default gen_random_uuid(),
  user_email varchar(150) not null,
  hashed_key varchar(64) not null unique,
  hint varchar(20) not null,
  expires_on timestamptz not null,
  active boolean not null default true,
  deleted boolean not null default false,
  last_used_at timestamptz,
  created_at timestamptz not null default now()
);
create table inf_model (
  id uuid primary key default gen_random_uuid(),
  internal_name varchar(63) not null,
  display_name varchar(100) not null,
  description text,
  model_url varchar,
  pipeline_steps json,
  geoserver_push json,
  model_input_data_spec json,
  postprocessing_options json,
  inference json,
  status varchar(50) not null default 'PENDING',
  sharable boolean not null default false,
  model_onboarding_config json,
  version double precision not null default 1,
  latest boolean not null default true,
  active boolean not null default true,
  deleted boolean not null default false,
  created_by varchar(150) not null,
  updated_by varchar(150),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index inf_model_owner on inf_model (created_by, created_at desc) where not deleted;
create index inf_model_name on inf_model (display_name, created_at desc) where not deleted;
create table tune (
  id varchar(100) primary key,
  name varchar(100) not null,
  description text,
  status varchar(50) not null default 'Finished',
  train_options json not null,
  inference json not null,
  created_by varchar(150) not null,
  created_at timestamptz not null default now()
);
create table inf_generic_processor (
  id uuid primary key default gen_random_uuid(),
  name varchar(100) not null,
  description text,
  processor_parameters json,
  processor_file_path varchar,
  status varchar(50) not null default 'PENDING',
  active boolean not null default true,
  deleted boolean not null default false,
  created_by varchar(150) not null,
  updated_by varchar(150),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create table inf_inference (
  id uuid primary key default gen_random_uuid(),
  description text,
  location varchar(100),
  inference_config json not null,
  geoserver_layers json,
  demo jsonb,
  status varchar(50) not null default 'PENDING',
  model_id uuid not null references inf_model,
  generic_processor_id uuid references inf_generic_processor,
  inference_output json,
  tasks_count_total int not null default 1,
  tasks_count_success int not null default 0,
  tasks_count_failed int not null default 0,
  tasks_count_stopped int not null default 0,
  tasks_count_waiting int not null default 1,
  active boolean not null default true,
  deleted boolean not null default false,
  created_by varchar(150) not null,
  updated_by varchar(150),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index inf_inference_owner on inf_inference (created_by, created_at desc) where not deleted;
create table inf_task (
  id bigserial primary key,
  task_id varchar(100) not null unique,
  inference_id uuid not null references inf_inference,
  planning boolean not null default false,
  status varchar(50) not null default 'READY',
  pipeline_steps json not null,
  config json,
  inference_folder varchar(100),
  priority int not null default 5,
  attempt int not null default 0,
  runner varchar(100),
  fence bigint not null default 0,
  lease_until timestamptz,
  not_before timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index inf_task_inference on inf_task (inference_id, id);
create index inf_task_queue on inf_task (priority, id) where status in ('READY', 'RUNNING');
create table step_log (
  task_id varchar(100) not null,
  process_id varchar(50) not null,
  seq bigserial,
  text text not null,
  primary key (task_id, process_id, seq)
);
create table notification (
  seq bigserial primary key,
  id uuid not null default gen_random_uuid(),
  event_id uuid not null,
  inference_id uuid,
  detail_type varchar(100),
  detail json,
  source varchar(100),
  timestamp timestamptz not null default now(),
  created_by varchar(150) not null
);
create index notification_event on notification (event_id, seq);
create table groups (
  id uuid primary key default gen_random_uuid(),
  name varchar(255) not null unique,
  description text,
  created_by varchar(255) not null,
  created_at timestamptz not null default now()
);
create table group_members (
  group_id uuid not null references groups on delete cascade,
  user_email varchar(255) not null,
  role varchar(10) not null check (role in ('owner', 'member')),
  added_at timestamptz not null default now(),
  primary key (group_id, user_email)
);
create table artifact_permissions (
  group_id uuid not null references groups on delete cascade,
  artifact_type varchar(20) not null,
  artifact_id varchar(100) not null,
  granted_by varchar(255) not null,
  granted_at timestamptz not null default now(),
  primary key (group_id, artifact_type, artifact_id)
);
create table idempotency (
  identity varchar(150) not null,
  key varchar(255) not null,
  route varchar(200) not null,
  body_hash varchar(64) not null,
  status int,
  body text,
  created_at timestamptz not null default now(),
  primary key (identity, key, route)
);
`

export const up = async (db: Kysely<unknown>): Promise<void> => {
  for (const statement of statements.split(/;\s*\n/).filter((text) => text.trim()))
    await sql.raw(statement).execute(db)
}

export const down = async (db: Kysely<unknown>): Promise<void> => {
  const names = [...statements.matchAll(/create table "?(\w+)"?/g)].map(([, name]) => name!)
  for (const name of names.reverse()) await sql.raw(`drop table "${name}"`).execute(db)
}
