import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { Db } from '../database/database.ts'

/** Due tasks, from the head of the queue, among which an engine looks for its own. */
const WINDOW = 64

/** What tasks that do the same first steps have in common: the model and the scene, no signature. */
export const affinityOf = (model: string, scene: string): string =>
  createHash('sha256')
    .update(JSON.stringify([model, scene.split('?')[0]]))
    .digest('hex')
    .slice(0, 32)

/** The engine that a runner works with, and those that answer now. */
export interface Engines {
  readonly own: string
  /** In the order of their ids */
  readonly live: readonly string[]
  /** Seconds after which any engine may take a task that another one would be better for */
  readonly patience: number
}

/**
 * The engine of the highest random weight for a task (Thaler and Ravishankar, 1998): where one goes
 * or comes, only its own tasks change their engine.
 */
const winner = (live: readonly string[]) => sql`
  (select e from unnest(${[...live]}::text[]) e
   order by hashtextextended(t.affinity || ' ' || e, 0) desc, e limit 1)`

/**
 * Ids of the tasks that `engines.own` may take, the best first: of one priority its own go before
 * those that have waited long enough for another. A holder that died left its task to anyone.
 *
 * @param due What makes a task `t` due; seen again under the row's lock
 */
export const dueFor = (
  { own, live, patience }: Engines,
  due: ReturnType<typeof sql>,
) => sql<string>`
  (select t.id from inf_task t join (
    select t.id, t.priority, t.affinity is null or ${winner(live)} = ${own} as own,
      t.lease_until is not null
        or greatest(t.updated_at, t.not_before) <= now() - make_interval(secs => ${patience}) as free
    from (select * from inf_task t where ${due} order by t.priority, t.id limit ${WINDOW}) t
  ) of_window on of_window.id = t.id
  where (of_window.own or of_window.free) and ${due}
  order by of_window.priority, of_window.own desc, t.id
  limit 1 for update of t skip locked)`

/** Says that this runner's engine answers (or no longer does). @returns the engines that answer */
export const heartbeat = async (
  db: Db,
  engine: string,
  runner: string,
  options: { readonly answers: boolean; readonly seconds: number },
): Promise<string[]> => {
  if (options.answers)
    await sql`insert into engine (id, runner) values (${engine}, ${runner})
      on conflict (id, runner) do update set seen_at = now()`.execute(db)
  else await sql`delete from engine where id = ${engine} and runner = ${runner}`.execute(db)
  const { rows } = await sql<{ id: string }>`
    select distinct id from engine
    where seen_at > now() - make_interval(secs => ${options.seconds}) order by id`.execute(db)
  return rows.map(({ id }) => id)
}

/** Runners that ended without a word; what they worked with is long not counted any more. */
export const forgetEngines = async (db: Db): Promise<void> => {
  await sql`delete from engine where seen_at < now() - interval '1 day'`.execute(db)
}
