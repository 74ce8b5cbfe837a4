import { promises as fs } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type ColumnType, type Generated, Kysely, Migrator, PostgresDialect, sql } from 'kysely'
import pg from 'pg'

type Json<T = unknown> = ColumnType<T, string | null, string | null>
type Time = ColumnType<Date, Date | string | undefined, Date | string>
type MaybeTime = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>

interface Owned {
  id: Generated<string>
  active: Generated<boolean>
  deleted: Generated<boolean>
  created_by: string
  updated_by: string | null
  created_at: Time
  updated_at: Time
}
export interface ModelTable extends Owned {
  internal_name: string
  display_name: string
  description: string | null
  licence: string | null
  /** STAC Item that it was registered by */
  mlm: Json<Record<string, unknown> | null>
  model_url: string | null
  pipeline_steps: Json<WireStep[] | null>
  geoserver_push: Json<Record<string, unknown>[] | null>
  model_input_data_spec: Json<Record<string, unknown>[] | null>
  postprocessing_options: Json<Record<string, unknown> | null>
  inference: Json<Record<string, unknown> | null>
  status: Generated<string>
  sharable: Generated<boolean>
  model_onboarding_config: Json<Record<string, unknown> | null>
  version: Generated<number>
  latest: Generated<boolean>
  /** Of its files in the store. */
  stored_bytes: ColumnType<string, number | undefined, number>
  /** Why its export has failed. */
  error: Json<{ code: string; message: string } | null>
}
/** A step as clients read it. @see docs/wire.md */
export interface WireStep {
  status: string
  process_id: string
  step_number: number
  start_time?: string
  end_time?: string
  error?: { code: string; message: string }
  message?: string
  result?: unknown
  /** Pixels, share and km² of each class, or the spread of a continuous prediction. */
  statistics?: unknown
  /** Artifact key to file name, of a finished step. */
  artifacts?: Readonly<Record<string, string>>
  [more: string]: unknown
}
export interface InferenceTable extends Owned {
  description: string | null
  location: string | null
  inference_config: Json<Record<string, unknown>>
  geoserver_layers: Json<Record<string, unknown> | null>
  demo: Json<Record<string, unknown> | null>
  status: Generated<string>
  model_id: string
  generic_processor_id: string | null
  inference_output: Json<Record<string, unknown> | null>
  tasks_count_total: Generated<number>
  tasks_count_success: Generated<number>
  tasks_count_failed: Generated<number>
  tasks_count_stopped: Generated<number>
  tasks_count_waiting: Generated<number>
  planner_status: Generated<string>
  /** Tasks without the planner's, and of them those that ended so. */
  work_total: Generated<number>
  work_finished: Generated<number>
  work_failed: Generated<number>
  work_stopped: Generated<number>
  /** What a list shows of the request; null for rows older than the column. */
  shown: Json<Record<string, unknown> | null>
  /** Deleted, and nothing of it is left in the store. */
  purged: Generated<boolean>
  fine_tuning_id: string | null
  /** Tasks that the planner is expected to write. */
  expected_tasks: Generated<number>
  /** Of the request that made it (W3C Trace Context). */
  traceparent: ColumnType<string | null, string | null | undefined, string | null>
  /** Of its outputs in the store. */
  stored_bytes: ColumnType<string, number | undefined, number>
}
export interface TaskTable {
  id: Generated<string>
  task_id: string
  inference_id: string
  planning: Generated<boolean>
  status: Generated<string>
  pipeline_steps: ColumnType<WireStep[], string, string>
  config: Json<Record<string, unknown> | null>
  inference_folder: string | null
  priority: Generated<number>
  /** Model and scene: tasks with the same run on the engine that has them cached. */
  affinity: Generated<string | null>
  /** Claims, whatever became of them. */
  attempt: Generated<number>
  /** Tries of the step at hand that failed. */
  failures: Generated<number>
  /** Holders since a step last finished that ended without a word. */
  deaths: Generated<number>
  runner: string | null
  fence: Generated<string>
  lease_until: MaybeTime
  not_before: MaybeTime
  created_at: Time
  updated_at: Time
}
export interface Database {
  user: {
    id: Generated<string>
    email: string
    first_name: string
    last_name: string
    created_at: Time
  }
  apikey: {
    id: Generated<string>
    user_email: string
    hashed_key: string
    hint: string
    expires_on: Time
    active: Generated<boolean>
    deleted: Generated<boolean>
    last_used_at: MaybeTime
    created_at: Time
  }
  inf_model: ModelTable
  tune: {
    id: string
    name: string
    description: string | null
    status: Generated<string>
    train_options: ColumnType<Record<string, unknown>, string, string>
    inference: Json<Record<string, unknown> | null>
    created_by: string
    created_at: Time
    error: Json<{ code: string; message: string } | null>
    stored_bytes: ColumnType<string, number | undefined, number>
    updated_at: Time
  }
  model_job: {
    id: Generated<string>
    tune_id: string | null
    model_id: string | null
    config_url: string
    checkpoint_url: string
    status: Generated<string>
    attempt: Generated<number>
    failures: Generated<number>
    deaths: Generated<number>
    fence: Generated<number>
    lease_until: MaybeTime
    not_before: MaybeTime
    created_at: Time
    /** Of the request that asked for it (W3C Trace Context). */
    traceparent: ColumnType<string | null, string | null | undefined, string | null>
  }
  inf_generic_processor: Owned & {
    name: string
    description: string | null
    processor_parameters: Json<Record<string, unknown> | null>
    processor_file_path: string | null
    status: Generated<string>
    stored_bytes: ColumnType<string, number | undefined, number>
  }
  inf_inference: InferenceTable
  inf_task: TaskTable
  step_log: { task_id: string; process_id: string; seq: Generated<string>; text: string }
  notification: {
    seq: Generated<string>
    id: Generated<string>
    event_id: string
    inference_id: string | null
    detail_type: string | null
    detail: Json<Record<string, unknown> | null>
    source: string | null
    timestamp: Time
    created_by: string
  }
  groups: {
    id: Generated<string>
    name: string
    description: string | null
    created_by: string
    created_at: Time
  }
  group_members: { group_id: string; user_email: string; role: string; added_at: Time }
  artifact_permissions: {
    group_id: string
    artifact_type: string
    artifact_id: string
    granted_by: string
    granted_at: Time
  }
  idempotency: {
    identity: string
    key: string
    route: string
    body_hash: string
    status: number | null
    body: string | null
    created_at: Time
  }
}
export type Db = Kysely<Database>

const SILENCE_MS = 15_000

/** A server that vanished without a word leaves its connections open for ever: silence ends them. */
export const endWhenSilent = (client: object): void => {
  const { stream } = (client as { connection: { stream: Socket } }).connection
  stream.setTimeout(SILENCE_MS, () => stream.destroy(new Error('Connection terminated: silence')))
}

/** Connects lazily; a connection that the server dropped is replaced, not fatal. */
export const openDatabase = (url: string, max = 10): Db => {
  const pool = new pg.Pool({ connectionString: url, max, connectionTimeoutMillis: 10_000 })
  pool.on('connect', (client) => {
    endWhenSilent(client)
    // A connection lost between two statements of a transaction has no query to reject: without a
    // listener the event ends the process. The next statement fails, and `persist` tries again.
    client.on('error', () => undefined)
  })
  pool.on('error', () => undefined) // an idle connection that Postgres closed: the pool opens another
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
}

const folder = join(import.meta.dirname, '../../migrations')

/** Migrations in the order of their numbers; Kysely's lock lets one process at a time apply them. */
export const migrator = (db: Db): Migrator =>
  new Migrator({
    db,
    provider: {
      getMigrations: async () => {
        const names = (await fs.readdir(folder))
          .filter((name) => /^\d{4}_.*\.ts$/.test(name))
          .sort()
        const loaded = await Promise.all(
          names.map(async (name) => [
            name.slice(0, -3),
            await import(pathToFileURL(join(folder, name)).href),
          ]),
        )
        return Object.fromEntries(loaded)
      },
    },
  })

/** Applies what is missing. @throws the migration's own error */
export const migrate = async (db: Db): Promise<void> => {
  const { error } = await migrator(db).migrateToLatest()
  if (error) throw error
}

const PASSING_CODES =
  /^(57P0[1235]|08|40|53|58|25006|55P03|ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN)/

/**
 * Errors of a server that restarts, is handed over or runs short of something (classes 53 and 58), and
 * of a lock that lost: the same transaction may pass next time.
 */
export const isPassing = (error: unknown): boolean => {
  const { code, message } = error as { code?: string; message?: string }
  return (
    PASSING_CODES.test(code ?? '') ||
    /Connection terminated|connection.*timeout|ECONNREFUSED|not queryable|timeout exceeded when trying to connect/i.test(
      message ?? '',
    )
  )
}

/** Runs `work` again, with back-off, while Postgres is away; for writes that are compare-and-set. */
export const persist = async <T>(work: () => Promise<T>, seconds = 60): Promise<T> => {
  const until = Date.now() + seconds * 1000
  for (let wait = 50; ; wait = Math.min(wait * 2, 2000))
    try {
      return await work()
    } catch (error) {
      if (!isPassing(error) || Date.now() > until) throw error
      await new Promise((done) => setTimeout(done, wait))
    }
}

/** Wakes those that listen, when the transaction commits. */
export const notify = async (db: Db, channel: Channel, payload: string): Promise<void> => {
  await sql`select pg_notify(${channel}, ${payload})`.execute(db)
}
export type Channel = 'geodag_task' | 'geodag_event' | 'geodag_cancel'
export const json = (value: unknown): string | null =>
  value === null || value === undefined ? null : JSON.stringify(value)
