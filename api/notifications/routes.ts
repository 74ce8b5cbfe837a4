import { timingSafeEqual } from 'node:crypto'
import { streamSSE } from 'hono/streaming'
import { z } from 'zod'
import { INFERENCE_ENDS } from '../../pipelines/status.ts'
import type { Config } from '../config.ts'
import { type Db, json } from '../database/database.ts'
import { inTransaction } from '../http/idempotency.ts'
import type { InferenceRepository } from '../inference/repository.ts'
import { inferenceAnswer } from '../inference/schema.ts'
import type { Listener } from '../database/listener.ts'
import { notify } from '../database/database.ts'
import type { Ctx } from '../http/context.ts'
import { envelope, fail, KEY_USED, paging, type Router, uuid } from '../http/routing.ts'
import { wireTime } from '../http/time.ts'
import { applyEvent, toldAs } from './report.ts'

const tag = 'Notifications'
const text = z.string().max(100)
const event = z.looseObject({
  event_id: uuid,
  detail_type: text,
  source: text,
  timestamp: z.iso.datetime({ offset: true, local: true }),
  detail: z.record(z.string(), z.unknown()),
  inference_id: uuid.nullish(),
})
const byEvent = z.object({ event_id: uuid })

export interface StreamItem {
  readonly seq: string
  readonly detail_type: string
  readonly status: string
  readonly data: unknown
}

/** Events of one inference after `seq`, then live ones, until it ends or the client goes. */
export const eventsOf = (deps: { db: Db; inferences: InferenceRepository; listener: Listener }) =>
  async function* (
    user: string,
    id: string,
    from: string,
    abort: AbortSignal,
  ): AsyncGenerator<StreamItem | null> {
    let seq = from
    let wake: () => void = () => undefined
    let pending = true
    const woken = (payload?: string) => {
      if (payload !== undefined && payload !== id) return
      pending = true
      wake()
    }
    const reconnected = () => woken()
    abort.addEventListener('abort', reconnected)
    deps.listener.on('geodag_event', woken).on('reconnected', reconnected)
    try {
      for (;;) {
        pending = false
        const row = await deps.inferences.get(user, id)
        if (abort.aborted || !row) return
        const found = await deps.db
          .selectFrom('notification')
          .select(['seq', 'detail_type', 'detail'])
          .where('event_id', '=', id)
          .where('seq', '>', seq)
          .orderBy('seq')
          .execute()
        for (const item of found) {
          seq = item.seq
          const type = item.detail_type ?? ''
          const data = type === 'Inf:Task:Updated' ? inferenceAnswer(row) : item.detail
          const told = (item.detail?.status as string | undefined) ?? row.status
          yield { seq, detail_type: type, status: told, data }
        }
        if (INFERENCE_ENDS.includes(row.status) && !pending) return
        if (pending) continue
        const timer = await new Promise<NodeJS.Timeout>((done) => {
          const beat = setTimeout(() => done(beat), 15_000)
          wake = () => done(beat)
        })
        clearTimeout(timer)
        if (!pending) yield null // nothing new: keeps proxies from closing the stream
      }
    } finally {
      abort.removeEventListener('abort', reconnected)
      deps.listener.off('geodag_event', woken).off('reconnected', reconnected)
    }
  }
export type Events = ReturnType<typeof eventsOf>

/** `/v2/notifications` and the event stream. @see contract.md 1.7 */
export const notificationRoutes = (
  router: Router,
  deps: { db: Db; config: Config; inferences: InferenceRepository; events: Events },
): void => {
  const { db, config, inferences } = deps
  const system = config.DEFAULT_SYSTEM_USER

  /** Only the system itself, or one that knows the service's token: users may not forge events. */
  const mayPost = (c: Ctx, user: string): boolean => {
    const given = Buffer.from(c.req.header('x-internal-token') ?? '')
    const wanted = Buffer.from(config.INTERNAL_TOKEN ?? '')
    const known =
      wanted.length > 0 && given.length === wanted.length && timingSafeEqual(given, wanted)
    return known || user === system
  }

  router.add(
    {
      ...{
        method: 'post',
        path: '/v2/notifications',
        tag,
        summary: 'Report an event (services only)',
      },
      body: event,
      once: true,
      responses: {
        201: 'Noted',
        403: 'Not a service',
        404: 'No such inference',
        ...KEY_USED,
        412: 'Event with empty details not processed.',
      },
    },
    async ({ c, db, user, body }) => {
      if (!mayPost(c, user)) return fail(403, 'Only services may report events: X-Internal-Token.')
      if (Object.keys(body.detail).length === 0)
        return fail(412, 'Event with empty details not processed.')
      const id = body.inference_id ?? body.event_id
      const known = await db
        .selectFrom('inf_inference')
        .select('id')
        .where('id', '=', id)
        .where('deleted', '=', false)
        .executeTakeFirst()
      if (!known && body.source.includes('inference'))
        return fail(404, `Inference with event>(${id}) Not Found.`)
      const told = toldAs(body)
      const row = await inTransaction(db, async (trx) => {
        if (known) await applyEvent(trx, id, body, system)
        await notify(trx, 'geodag_event', id)
        return trx
          .insertInto('notification')
          .values({
            event_id: body.event_id,
            inference_id: known ? id : null,
            detail_type: told.detail_type,
            detail: json(told.detail),
            source: body.source,
            timestamp: new Date(
              /Z|[+-]\d\d:?\d\d$/.test(body.timestamp) ? body.timestamp : `${body.timestamp}Z`,
            ),
            created_by: user,
          })
          .returning(['id', 'event_id'])
          .executeTakeFirstOrThrow()
      })
      return c.json(
        {
          id: row.id,
          detail: {},
          source: null,
          detail_type: null,
          timestamp: null,
          event_id: row.event_id,
        },
        201,
      )
    },
  )
  router.add(
    {
      ...{
        method: 'get',
        path: '/v2/notifications/:event_id',
        tag,
        summary: 'Past events, newest first',
      },
      params: byEvent,
      query: z.object({ source: z.string().optional(), ...paging }),
      responses: { 200: 'Events' },
    },
    async ({ c, user, params, query }) => {
      const readable = await inferences.get(user, params.event_id)
      const rows = await db
        .selectFrom('notification')
        .selectAll()
        .where('event_id', '=', params.event_id)
        .$if(!readable, (q) => q.where('created_by', '=', user))
        .$if(query.source !== undefined, (q) => q.where('source', '=', query.source!))
        .orderBy('seq', 'desc')
        .limit(query.limit)
        .offset(query.skip)
        .execute()
      const results = rows.map(({ id, detail, source, detail_type, timestamp, event_id }) => ({
        id,
        detail,
        source,
        detail_type,
        timestamp: wireTime(timestamp),
        event_id,
      }))
      return c.json({ ...envelope(0, results) })
    },
  )
  router.add(
    {
      ...{ method: 'get', path: '/v2/async/notify/:event_id', tag },
      summary: 'Events as they happen (SSE); resumes after Last-Event-ID',
      params: byEvent,
      responses: { 200: 'text/event-stream', 404: 'No such inference' },
      contentType: 'text/event-stream',
    },
    async ({ c, user, params }) => {
      if (!(await inferences.get(user, params.event_id)))
        return fail(404, `Inference with EventId (${params.event_id}) Not Found.`)
      // HEAD reads no body: a stream would wait for ever for its reader.
      if (c.req.method === 'HEAD') return c.body(null, 200, { 'Content-Type': 'text/event-stream' })
      const last = c.req.header('last-event-id') ?? '0'
      const from = /^\d{1,18}$/.test(last) ? last : '0'
      return streamSSE(c, async (stream) => {
        const abort = new AbortController()
        stream.onAbort(() => abort.abort())
        for await (const item of deps.events(user, params.event_id, from, abort.signal)) {
          if (item === null) await stream.write(': still here\n\n')
          else {
            const { seq, ...message } = item
            await stream.writeSSE({ id: seq, data: JSON.stringify(message) })
          }
        }
      })
    },
  )
}
