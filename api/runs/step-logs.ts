import type { Db, WireStep } from '../database/database.ts'
import { logKey } from '../storage/keys.ts'
import type { Store } from '../storage/store.ts'

interface Deps {
  readonly db: Db
  readonly store: Store
}
export interface Logged {
  readonly task_id: string
  readonly inference_id: string
}

const HEAD = '----------------INVOKING TASK----------------\n'

/** A step's log as clients read it, with `code` where the step's end is known. */
export const wholeLog = (task: string, step: string, text: string, code?: number): string => {
  if (/^Task ID: [^]*\nReturn code: \d+\n$/.test(text)) return text // whole already
  const head = `${HEAD}Task ID: ${task}\n`
  const command = text.startsWith('Command: ') ? '' : `Command: ${step}\n`
  const end = code === undefined ? '' : `Return code: ${code}\n`
  return `${head}${command}${text.replace(/\n?$/, '\n')}${end}`
}

/** What was heard live of a step; undefined where nothing was. */
export const heardOf = async (db: Db, task: string, step: string): Promise<string | undefined> => {
  const rows = await db
    .selectFrom('step_log')
    .select('text')
    .where('task_id', '=', task)
    .where('process_id', '=', step)
    .orderBy('seq')
    .execute()
  return rows.length ? rows.map((row) => row.text).join('') : undefined
}

/** Keeps text of a step in the database; lost where that is away too. */
export const hear = (db: Db, task_id: string, process_id: string, text: string): Promise<void> =>
  db
    .insertInto('step_log')
    .values({ task_id, process_id, text })
    .execute()
    .then(
      () => undefined,
      () => undefined,
    )

export const forgetHeard = async (db: Db, task: string, step?: string): Promise<void> => {
  await db
    .deleteFrom('step_log')
    .where('task_id', '=', task)
    .$if(step !== undefined, (q) => q.where('process_id', '=', step!))
    .execute()
}

/**
 * Moves what was heard of a task that ended from the database to the store: of a step that was
 * stopped or whose runner died it is all that there is. Rows of a deleted inference only go.
 *
 * `over`: statuses of steps whose log of an earlier try gives way to what was heard of the last.
 */
export const keepHeard = async (
  { db, store }: Deps,
  task: Logged,
  over: readonly string[] = [],
): Promise<void> => {
  const row = await db
    .selectFrom('inf_task')
    .innerJoin('inf_inference', 'inf_inference.id', 'inf_task.inference_id')
    .select(['inf_task.status', 'inf_task.pipeline_steps', 'inf_inference.deleted'])
    .where('task_id', '=', task.task_id)
    .executeTakeFirst()
  if (!row || row.deleted) return forgetHeard(db, task.task_id)
  if (!['FINISHED', 'FAILED', 'STOPPED'].includes(row.status)) return
  for (const step of row.pipeline_steps as WireStep[]) {
    const { process_id, status } = step
    const heard = await heardOf(db, task.task_id, process_id)
    // A step that failed before it began says why in its log too.
    if (heard === undefined && status !== 'FAILED') continue
    const key = logKey(task.inference_id, task.task_id, process_id)
    const stands = await keptAlready(store, key, heard, over.includes(status), status)
    if (!stands) await store.put(key, textOf(task.task_id, step, heard ?? ''))
    await forgetHeard(db, task.task_id, process_id)
  }
}

/** Whether the log in the store is of the try that was heard last, so that it stays. */
const keptAlready = async (
  store: Store,
  key: string,
  heard: string | undefined,
  gives: boolean,
  status: string,
): Promise<boolean> => {
  if ((await store.size(key)) === undefined) return false
  if (heard === undefined) return true
  if (gives) return false
  if (status === 'FINISHED') return true
  // A runner that was killed here left rows of its own try beside an earlier one's object.
  const last = heard.trimEnd().split('\n').at(-1)!
  return (await store.get(key)).toString().includes(last)
}

const CODES: Record<string, number> = { FINISHED: 0, FAILED: 1 }

const textOf = (task: string, { process_id, status, error }: WireStep, heard: string): string => {
  const told = error && status === 'FAILED' ? `${error.code}: ${error.message}\n` : ''
  const why = heard.includes(told) ? '' : told
  const lines = heard && !heard.endsWith('\n') ? `${heard}\n` : heard
  return wholeLog(task, process_id, lines + why, CODES[status])
}
