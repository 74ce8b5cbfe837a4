import { sql } from 'kysely'
import type { Db } from '../database/database.ts'

/** Keeps that a step of this inference's user finished on an engine just now. */
export const rememberRun = async (
  db: Db,
  run: { readonly key: Buffer; readonly inference: string; readonly engine: string },
): Promise<void> => {
  await sql`
    insert into step_run (key, created_by, engine)
    select ${run.key}, created_by, ${run.engine} from inf_inference where id = ${run.inference}
    on conflict (key, created_by, engine) do update set finished_at = now()`.execute(db)
}

/**
 * When calls of this user last finished on an engine that answers now, by their keys in hex.
 *
 * Others' runs are not told, though the engine's cache may have them.
 */
export const lastRuns = async (
  db: Db,
  user: string,
  keys: readonly Buffer[],
  seconds: number,
): Promise<Map<string, Date>> => {
  if (keys.length === 0) return new Map()
  const { rows } = await sql<{ key: Buffer; last: Date }>`
    select key, max(finished_at) as last from step_run
    where key = any(${[...keys]}::bytea[]) and created_by = ${user}
      and engine in (select id from engine where seen_at > now() - make_interval(secs => ${seconds}))
    group by key`.execute(db)
  return new Map(rows.map(({ key, last }) => [key.toString('hex'), last]))
}
