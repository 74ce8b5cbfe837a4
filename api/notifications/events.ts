import { sql } from 'kysely'
import { INFERENCE_ENDS } from '../../pipelines/status.ts'
import type { Db } from '../database/database.ts'
import type { Listener } from '../database/listener.ts'
import type { InferenceRepository } from '../inference/repository.ts'
import { changingAnswer, inferenceAnswer } from '../inference/schema.ts'

export interface StreamItem {
  readonly seq: string
  readonly detail_type: string
  readonly status: string
  readonly data: unknown
}

/** What a client that comes late, or comes back, is told of the past: the newest of it. */
const REPLAY_EVENTS = 1000
const REPLAY_BYTES = 2 * 1024 * 1024
/** Between two looks at the database by one stream, in ms: many events make one answer. */
const PAUSE_MS = 100

const UPDATED = 'Inf:Task:Updated'

/** The newest events after `seq`, oldest first. */
const eventsAfter = async (db: Db, id: string, seq: string) => {
  const { rows } = await sql<{
    seq: string
    detail_type: string | null
    detail: Record<string, unknown> | null
  }>`
    select seq, detail_type, detail from (
      select seq, detail_type, detail, sum(length(detail::text)) over (order by seq desc) as bytes
      from (select seq, detail_type, detail from notification
        where event_id = ${id} and seq > ${seq} order by seq desc limit ${REPLAY_EVENTS}) newest
    ) sized where bytes <= ${REPLAY_BYTES} order by seq`.execute(db)
  return rows
}

/** Only what differs from what was told before, and whose it is. */
const changesOf = (told: Map<string, string>, state: Record<string, unknown>) => {
  const changed = Object.entries(state).filter(([key, value]) => {
    const text = JSON.stringify(value)
    if (told.get(key) === text) return false
    told.set(key, text)
    return true
  })
  return { id: state.id, status: state.status, ...Object.fromEntries(changed) }
}

/** What one stream has told of its inference: all of it once, then what has changed. */
const teller = (inferences: InferenceRepository, user: string, id: string) => {
  const told = new Map<string, string>()
  return async (): Promise<Record<string, unknown> | undefined> => {
    if (told.size === 0) {
      const row = await inferences.get(user, id)
      if (!row) return undefined
      changesOf(told, changingAnswer(row))
      return inferenceAnswer(row)
    }
    const row = await inferences.state(user, id)
    return row && changesOf(told, changingAnswer(row))
  }
}

/**
 * Events of one inference after `seq`, then live ones, until it ends or the client goes.
 *
 * Every event is told in its order. Of the updates only the newest of a look carries data beyond the
 * status: the whole inference the first time, then what has changed since.
 */
export const eventsOf = (deps: { db: Db; inferences: InferenceRepository; listener: Listener }) =>
  async function* (
    user: string,
    id: string,
    from: string,
    abort: AbortSignal,
  ): AsyncGenerator<StreamItem | null> {
    const tell = teller(deps.inferences, user, id)
    let seq = from
    let wake: () => void = () => undefined
    let pending = true
    const woken = (payload?: string) => {
      if (payload !== undefined && payload !== id) return
      pending = true
      wake()
    }
    const stirred = () => woken()
    abort.addEventListener('abort', stirred)
    deps.listener.on('geodag_event', woken).on('reconnected', stirred)
    try {
      for (;;) {
        pending = false
        // Before the events: an end that is seen here has all of its events below.
        const row = await deps.inferences.seen(user, id)
        if (abort.aborted || !row) return
        const found = await eventsAfter(deps.db, id, seq)
        const newest = found.findLast((item) => item.detail_type === UPDATED)
        const state = newest && (await tell())
        for (const item of found) {
          seq = item.seq
          const detail_type = item.detail_type ?? ''
          const status = (item.detail?.status as string | undefined) ?? row.status
          const data =
            item === newest ? state : detail_type === UPDATED ? { id, status } : item.detail
          yield { seq, detail_type, status, data }
        }
        if (INFERENCE_ENDS.includes(row.status) && !pending) return
        await new Promise((done) => setTimeout(done, PAUSE_MS))
        if (pending || abort.aborted) continue
        const timer = await new Promise<NodeJS.Timeout>((done) => {
          const beat = setTimeout(() => done(beat), 15_000)
          wake = () => done(beat)
        })
        clearTimeout(timer)
        if (!pending) yield null // nothing new: keeps proxies from closing the stream
      }
    } finally {
      abort.removeEventListener('abort', stirred)
      deps.listener.off('geodag_event', woken).off('reconnected', stirred)
    }
  }
export type Events = ReturnType<typeof eventsOf>

/** Streams that one user may hold open. */
const MOST_STREAMS = 50

/** Counts each user's open streams in this process. */
export class OpenStreams {
  private readonly open = new Map<string, number>()

  /** Whether one more may be opened. */
  take(user: string): boolean {
    const held = this.open.get(user) ?? 0
    if (held >= MOST_STREAMS) return false
    this.open.set(user, held + 1)
    return true
  }
  give(user: string): void {
    const held = (this.open.get(user) ?? 1) - 1
    if (held > 0) this.open.set(user, held)
    else this.open.delete(user)
  }
}
export const TOO_MANY_STREAMS = [
  {
    type: 'quota.streams',
    msg: `You have ${MOST_STREAMS} event streams open: close one, or poll GET /v2/inference/{id}.`,
  },
]
