import { stream } from 'hono/streaming'
import { z } from 'zod'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import { fail, type Router, wholeText } from '../http/routing.ts'
import { LIFETIME, type Store } from '../storage/store.ts'
import { followed, heardSince, logIsSigned, signLog, tail, textIn } from '../tasks/log.ts'
import { EXPORT, exportLogKey } from './jobs.ts'

type Of = 'tunes' | 'models'

const OPEN = ['READY', 'RUNNING']
const POLL_MS = 500
const pathOf = (of: Of, id: string): string => `/v2/${of}/${encodeURIComponent(id)}/logs/content`

/** The log of an export: what is heard of it while it runs, the object when it has ended. */
export const exportLogs = ({
  db,
  config,
  store,
  publicUrl,
}: {
  db: Db
  config: Config
  store: Store
  publicUrl: () => string
}) => {
  /** The last export of a tune or a model. */
  const jobOf = (of: Of, id: string) =>
    db
      .selectFrom('model_job')
      .select(['id', 'status'])
      .$if(of === 'tunes', (q) => q.where('tune_id', '=', id))
      .$if(of === 'models', (q) => q.where('model_id', '=', id))
      .orderBy('created_at', 'desc')
      .executeTakeFirst()

  const whole = async (id: string, job: { id: string; status: string }): Promise<string> => {
    const key = exportLogKey(id)
    const kept = () => textIn(store, key)
    const live = async () =>
      (await heardSince(db, job.id, EXPORT, '0')).map(({ text }) => text).join('')
    if (OPEN.includes(job.status)) return live()
    // As a step's log, what was heard moves to the store: it may have gone between the first two looks.
    return (await kept()) ?? ((await live()) || ((await kept()) ?? ''))
  }

  const follow = (of: Of, id: string, abort: AbortSignal): AsyncGenerator<string> => {
    let job: Awaited<ReturnType<typeof jobOf>>
    return followed({
      abort,
      look: async () => {
        job = await jobOf(of, id)
        return job && OPEN.includes(job.status)
      },
      since: (seq) => heardSince(db, job!.id, EXPORT, seq),
      whole: () => whole(id, job!),
      pause: () => new Promise((done) => setTimeout(done, POLL_MS)),
    })
  }

  return {
    /** A URL that needs no header, the same while the export runs and after; null without an export. */
    urlOf: async (of: Of, id: string): Promise<string | null> =>
      (await jobOf(of, id))
        ? signLog(config.signingKey, publicUrl(), pathOf(of, id), LIFETIME.log)
        : null,

    route: (router: Router, of: Of, tag: string): void =>
      router.add(
        {
          ...{ method: 'get', path: `/v2/${of}/:id/logs/content`, tag, open: true },
          summary: 'The log of its export, text; follow=true streams it until the export ends',
          params: z.object({ id: of === 'tunes' ? z.string().max(100) : z.guid().toLowerCase() }),
          query: z.object({
            expires: z.string().default(''),
            signature: z.string().default(''),
            tail_lines: wholeText.optional(),
            follow: z.string().optional(),
          }),
          responses: { 200: 'Text', 403: 'The signature is wrong or has ended', 404: 'No export' },
          contentType: 'text/plain',
        },
        async ({ c, reply, params: { id }, query }) => {
          if (!logIsSigned(config.signingKey, pathOf(of, id), query.expires, query.signature))
            return fail(403, 'The signature of this URL is wrong or has ended: ask for a new URL.')
          const job = await jobOf(of, id)
          if (!job) return fail(404, 'Nothing of it was exported')
          c.header('Content-Type', 'text/plain; charset=utf-8')
          c.header('X-Content-Type-Options', 'nosniff')
          // HEAD reads no body: a stream would wait for ever for its reader.
          if (c.req.method === 'HEAD') return reply.raw(c.body(null))
          if (['true', 'True', '1'].includes(query.follow ?? '') && OPEN.includes(job.status))
            return reply.raw(
              stream(c, async (out) => {
                const abort = new AbortController()
                out.onAbort(() => abort.abort())
                for await (const text of follow(of, id, abort.signal)) await out.write(text)
              }),
            )
          return reply.raw(c.body(tail(await whole(id, job), query.tail_lines)))
        },
      ),
  }
}
export type ExportLogs = ReturnType<typeof exportLogs>
