import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Db } from '../database/database.ts'
import type { Listener } from '../database/listener.ts'
import { StoreError } from '../storage/errors.ts'
import { logKey } from '../storage/keys.ts'
import type { Store } from '../storage/store.ts'

const signatureOf = (key: string, path: string, expires: number): string =>
  createHmac('sha256', key).update(`LOG\n${path}\n${expires}`).digest('hex')

/** A URL on this server that needs no header and ends. */
export const signLog = (key: string, base: string, path: string, seconds: number): string => {
  const expires = Math.floor(Date.now() / 1000) + seconds
  return `${base}${path}?expires=${expires}&signature=${signatureOf(key, path, expires)}`
}
export const logIsSigned = (key: string, path: string, expires: string, given: string): boolean => {
  const wanted = Buffer.from(signatureOf(key, path, Number(expires)))
  const found = Buffer.from(given)
  return (
    wanted.length === found.length &&
    timingSafeEqual(wanted, found) &&
    Number(expires) * 1000 > Date.now()
  )
}

/** The last `lines` of a text; all of it without a number. */
export const tail = (text: string, lines: number | undefined): string =>
  lines === undefined
    ? text
    : lines === 0
      ? ''
      : text.replace(/\n$/, '').split('\n').slice(-lines).join('\n') + '\n'

/** An object's text; undefined where there is none. @throws StoreError while the store is away */
export const textIn = async (store: Store, key: string): Promise<string | undefined> => {
  try {
    return (await store.get(key)).toString()
  } catch (error) {
    if (error instanceof StoreError && !error.passes) return undefined
    throw error
  }
}

/** Live rows of a step of a task, or of a job's export, after one. */
export const heardSince = (db: Db, task: string, step: string, seq: string) =>
  db
    .selectFrom('step_log')
    .select(['seq', 'text'])
    .where('task_id', '=', task)
    .where('process_id', '=', step)
    .where('seq', '>', seq)
    .orderBy('seq')
    .execute()

/** What a whole log, which has a head of its own, says after what was told of it line by line. */
const restOf = (all: string, told: string): string => {
  const begins = all.indexOf(told)
  if (begins >= 0) return all.slice(begins + told.length)
  // A line between may have been heard otherwise: what comes after the last one.
  const last = told.trimEnd().split('\n').at(-1)!
  const at = all.lastIndexOf(last)
  return at < 0 ? '' : all.slice(at + last.length).replace(/^\n/, told.endsWith('\n') ? '' : '\n')
}

/**
 * What is heard until a log's source ends.
 *
 * @param look whether it still goes on, asked before the rows; undefined where the source is gone
 * @param whole of the log as it stands in the end: its last lines may have moved to the store before
 *   they were seen here
 */
export async function* followed({
  abort,
  look,
  since,
  whole,
  pause,
}: {
  abort: AbortSignal
  look: () => Promise<boolean | undefined>
  since: (seq: string) => Promise<readonly { seq: string; text: string }[]>
  whole: () => Promise<string | undefined>
  pause: () => Promise<void>
}): AsyncGenerator<string> {
  let [seq, told] = ['0', '']
  for (;;) {
    const goesOn = await look()
    if (goesOn === undefined) return
    for (const row of await since(seq)) {
      seq = row.seq
      told += row.text
      yield row.text
    }
    if (abort.aborted) return
    if (!goesOn) {
      yield restOf((await whole()) ?? '', told)
      return
    }
    await pause()
  }
}

/** Reads step logs: live rows while the step runs, the object when it has ended. */
export const logReader = (db: Db, store: Store, listener: Listener) => {
  const stepStatus = async (task: string, step: string): Promise<string | undefined> => {
    const row = await db
      .selectFrom('inf_task')
      .innerJoin('inf_inference', 'inf_inference.id', 'inf_task.inference_id')
      .select('pipeline_steps')
      .where('task_id', '=', task)
      .where('inf_inference.deleted', '=', false)
      .executeTakeFirst()
    return row?.pipeline_steps.find((s) => s.process_id === step)?.status
  }

  /** Undefined where nothing has been logged. */
  const whole = async (
    inference: string,
    task: string,
    step: string,
  ): Promise<string | undefined> => {
    const key = logKey(inference, task, step)
    const kept = () => textIn(store, key)
    const live = async () => {
      const rows = await heardSince(db, task, step, '0')
      return rows.length ? rows.map((row) => row.text).join('') : undefined
    }
    // While it runs the object is an earlier try's.
    if ((await stepStatus(task, step)) === 'RUNNING') {
      const heard = await live()
      if (heard !== undefined) return heard
    }
    // What was heard moves to the store once the step has ended: between the first two looks it
    // may have gone from the one to the other.
    return (await kept()) ?? (await live()) ?? (await kept())
  }

  return {
    whole,
    stepStatus,
    /** The live log until the step ends. */
    follow: (inference: string, task: string, step: string, abort: AbortSignal) =>
      followed({
        abort,
        look: async () => {
          const status = await stepStatus(task, step)
          return status === undefined ? undefined : ['RUNNING', 'READY', 'WAITING'].includes(status)
        },
        since: (seq) => heardSince(db, task, step, seq),
        whole: () => whole(inference, task, step),
        pause: () =>
          new Promise<void>((wake) => {
            const done = () => {
              clearTimeout(timer)
              listener.off('geodag_event', done)
              wake()
            }
            const timer = setTimeout(done, 500)
            listener.once('geodag_event', done)
          }),
      }),
  }
}
export type LogReader = ReturnType<typeof logReader>
