import { timingSafeEqual } from 'node:crypto'
import { type SSEStreamingApi, streamSSE } from 'hono/streaming'
import { z } from 'zod'
import type { Config } from '../config.ts'
import { type Db, json } from '../database/database.ts'
import { inTransaction } from '../http/idempotency.ts'
import type { InferenceRepository } from '../inference/repository.ts'
import { notify } from '../database/database.ts'
import { told as answered } from '../http/answers.ts'
import type { Ctx } from '../http/context.ts'
import { MIDDLE } from '../http/limits.ts'
import { pageHead, cursorText, numbered, placeOf } from '../http/cursors.ts'
import { inOrder } from '../http/pages.ts'
import { fail, KEY_USED, paging, type Router, uuid } from '../http/routing.ts'
import { wireTime } from '../http/time.ts'
import { anEvent, notedNow, notedSchema, notesSchema } from './answers.ts'
import { type Events, type OpenStreams, type StreamItem, TOO_MANY_STREAMS } from './events.ts'
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

const tellAll = async (stream: SSEStreamingApi, events: AsyncIterable<StreamItem | null>) => {
  for await (const item of events) {
    if (item === null) await stream.write(': still here\n\n')
    else {
      const { seq, ...message } = item
      await stream.writeSSE({ id: seq, data: JSON.stringify(message) })
    }
  }
}

const notes = async (db: Db, seqs: string[]) => {
  const rows = await db.selectFrom('notification').selectAll().where('seq', 'in', seqs).execute()
  return inOrder(seqs, rows, (row) => row.seq).map(
    ({ id, detail, source, detail_type, timestamp, event_id }) => ({
      ...{ id, detail, source, detail_type },
      timestamp: wireTime(timestamp),
      event_id,
    }),
  )
}

/** `/v2/notifications` and the event stream. @see docs/wire.md#notifications */
export const notificationRoutes = (
  router: Router,
  deps: {
    db: Db
    config: Config
    inferences: InferenceRepository
    events: Events
    streams: OpenStreams
  },
): void => {
  const { db, config, inferences, streams } = deps
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
      limits: MIDDLE,
      once: true,
      example: {
        ...{ event_id: anEvent.event_id, detail_type: 'Inf:Task:Notify', source: 'inference' },
        ...{ timestamp: '2026-01-01T12:00:00', detail: { message: 'Tiles are being made' } },
      },
      responses: {
        201: answered('Noted', notedSchema, notedNow),
        403: 'Not a service',
        404: 'No such inference',
        ...KEY_USED,
        412: 'Event with empty details not processed.',
      },
    },
    async ({ c, reply, db, user, body }) => {
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
      return reply.json(201, {
        id: row.id,
        detail: {},
        source: null,
        detail_type: null,
        timestamp: null,
        event_id: row.event_id,
      })
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
      query: z.object({ source: z.string().optional(), cursor: cursorText, ...paging }),
      responses: {
        200: answered('Events', notesSchema, {
          ...{ total_records: 0, page_count: 1 },
          results: [anEvent],
        }),
      },
    },
    async ({ reply, user, params, query }) => {
      const readable = await inferences.seen(user, params.event_id)
      const after = placeOf(query.cursor, numbered)
      const ids = await db
        .selectFrom('notification')
        .select('seq')
        .where('event_id', '=', params.event_id)
        .$if(!readable, (q) => q.where('created_by', '=', user))
        .$if(query.source !== undefined, (q) => q.where('source', '=', query.source!))
        .orderBy('seq', 'desc')
        .$if(!!after, (q) => q.where('seq', '<', after![0]))
        .limit(query.limit)
        .offset(query.skip)
        .execute()
      const seqs = ids.map(({ seq }) => seq)
      const places = seqs.map((seq) => [seq])
      const head = pageHead(0, places, query)
      const read = (some: string[]) => notes(db, some)
      return reply.list(200, 'results', { head, ids: seqs, read, rows: 200 })
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
    async ({ c, reply, user, params }) => {
      if (!(await inferences.seen(user, params.event_id)))
        return fail(404, `Inference with EventId (${params.event_id}) Not Found.`)
      // HEAD reads no body: a stream would wait for ever for its reader.
      if (c.req.method === 'HEAD')
        return reply.raw(c.body(null, 200, { 'Content-Type': 'text/event-stream' }))
      const last = c.req.header('last-event-id') ?? '0'
      const from = /^\d{1,18}$/.test(last) ? last : '0'
      if (!streams.take(user)) {
        c.header('Retry-After', '10')
        return fail(429, TOO_MANY_STREAMS)
      }
      const sent = streamSSE(c, async (stream) => {
        const abort = new AbortController()
        stream.onAbort(() => abort.abort())
        try {
          await tellAll(stream, deps.events(user, params.event_id, from, abort.signal))
        } finally {
          streams.give(user)
        }
      })
      return reply.raw(sent)
    },
  )
}
