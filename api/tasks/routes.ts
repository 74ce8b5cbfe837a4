import { stream } from 'hono/streaming'
import { z } from 'zod'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import type { InferenceRepository } from '../inference/repository.ts'
import type { Ctx } from '../http/context.ts'
import { told } from '../http/answers.ts'
import { fail, type Router, wholeText } from '../http/routing.ts'
import type { TaskRow } from '../runs/record.ts'
import { LIFETIME, type Store } from '../storage/store.ts'
import { aLog, anOutput, taskLog, taskOutput, statisticsOf } from './answers.ts'
import { logIsSigned, type LogReader, signLog, tail } from './log.ts'

const tag = 'Tasks'
const params = z.object({ task_id: z.string().max(100) })
const logParams = z.object({ task_id: z.string().max(100), step_id: z.string().max(50) })
const NOT_FOUND = 'Task not found'
/** A step's name is the user's: what it holds must not end the path. */
const contentPath = (task: string, step: string): string =>
  `/v2/tasks/${task}/logs/${encodeURIComponent(step)}/content`
const lines = wholeText.optional()

/** `/v2/tasks`. @see docs/wire.md#tasks */
export const taskRoutes = (
  router: Router,
  deps: {
    db: Db
    config: Config
    store: Store
    inferences: InferenceRepository
    logs: LogReader
    publicUrl: () => string
  },
): void => {
  const { db, config, store, inferences, logs } = deps
  /** The task, if its inference may be read: own, system's or shared. */
  const find = async (user: string, task_id: string) => {
    const task = await db
      .selectFrom('inf_task')
      .select(['task_id', 'inference_id', 'status', 'pipeline_steps'])
      .where('task_id', '=', task_id)
      .executeTakeFirst()
    return task && (await inferences.seen(user, task.inference_id)) ? task : undefined
  }

  /** Beyond the archive: a URL of each artifact by its key, so that a picture needs no download of all. */
  const assetsOf = async ({
    inference_id,
    task_id,
    pipeline_steps,
  }: Pick<TaskRow, 'inference_id' | 'task_id' | 'pipeline_steps'>) => {
    const made = Object.assign({}, ...pipeline_steps.map((step) => step.artifacts ?? {}))
    const signed = Object.entries(made as Record<string, string>).map(async ([key, file]) => {
      const href = await store.signGet(`${inference_id}/${task_id}/${file}`, LIFETIME.output)
      return [key, { title: file, href }] as const
    })
    return Object.fromEntries(await Promise.all(signed))
  }

  for (const name of ['output', 'output-url'])
    router.add(
      {
        ...{ method: 'get', path: `/v2/tasks/:task_id/${name}`, tag },
        summary: 'A URL of archive.zip: 84 h, Range, no header',
        params,
        responses: {
          200: told(
            'The URL, twice, one of each file by its artifact key, and the statistics',
            taskOutput,
            anOutput,
          ),
          404: NOT_FOUND,
          409: 'Not finished yet',
        },
      },
      async ({ reply, user, params }) => {
        const task = await find(user, params.task_id)
        if (!task) return fail(404, { msg: NOT_FOUND })
        if (task.status !== 'FINISHED')
          return fail(409, { msg: 'Task is not completed. Output URL is not available.' })
        const key = `${task.inference_id}/${task.task_id}/archive.zip`
        if ((await store.size(key)) === undefined)
          return fail(404, { msg: 'Task has no output: no step of it makes an archive.' })
        const url = await store.signGet(key, LIFETIME.output)
        const assets = await assetsOf(task)
        return reply.json(200, {
          ...{ task_id: task.task_id, output_url: url, url, assets },
          statistics: statisticsOf(task.pipeline_steps),
        })
      },
    )

  router.add(
    {
      ...{ method: 'get', path: '/v2/tasks/:task_id/logs/:step_id', tag },
      summary: "A URL of a step's log, live while it runs",
      params: logParams,
      query: z.object({
        allow_incomplete: z.string().optional(),
        tail_lines: lines,
        force_refresh: z.string().optional(),
      }),
      responses: {
        200: told('The URL', taskLog, aLog),
        404: 'No such task or step',
        409: 'The step has not begun',
      },
    },
    async ({ reply, user, params, query }) => {
      const task = await find(user, params.task_id)
      if (!task) return fail(404, NOT_FOUND)
      const step = task.pipeline_steps.find((s) => s.process_id === params.step_id)
      if (!step) return fail(404, { msg: `Step ${params.step_id} not found in task` })
      const { status } = step
      if (status === 'WAITING')
        return fail(409, {
          msg: `Step ${params.step_id} has status 'WAITING'. Logs may not be available yet.`,
          status,
        })
      const running = ['RUNNING', 'READY'].includes(status)
      if (running && ['false', 'False', '0'].includes(query.allow_incomplete ?? ''))
        return fail(409, { msg: `Step ${params.step_id} is still running.`, status })
      if (
        !running &&
        (await logs.whole(task.inference_id, task.task_id, step.process_id)) === undefined
      )
        return fail(404, {
          msg: `Log file not found for step ${params.step_id}. Task may still be initializing.`,
          status,
        })
      const path = contentPath(task.task_id, step.process_id)
      const url = signLog(config.signingKey, deps.publicUrl(), path, LIFETIME.log)
      const tailed = query.tail_lines === undefined ? '' : `&tail_lines=${query.tail_lines}`
      return reply.json(200, {
        task_id: task.task_id,
        step_id: step.process_id,
        step_log_url: url + tailed,
        status,
        warning: running ? 'Logs are incomplete - task is still running' : null,
      })
    },
  )

  router.add(
    {
      ...{ method: 'get', path: '/v2/tasks/:task_id/logs/:step_id/content', tag, open: true },
      summary: 'The log itself, text; follow=true streams it until the step ends',
      params: logParams,
      query: z.object({
        expires: z.string().default(''),
        signature: z.string().default(''),
        tail_lines: lines,
        follow: z.string().optional(),
      }),
      responses: { 200: 'Text', 403: 'The signature is wrong or has expired', 404: NOT_FOUND },
      contentType: 'text/plain',
    },
    async ({ c, reply, params, query }) => {
      const path = contentPath(params.task_id, params.step_id)
      if (!logIsSigned(config.signingKey, path, query.expires, query.signature))
        return fail(403, 'The signature of this URL is wrong or has expired: ask for a new URL.')
      return reply.raw(await content(c, params, query))
    },
  )

  const content = async (
    c: Ctx,
    { task_id, step_id }: { task_id: string; step_id: string },
    query: { tail_lines?: number | undefined; follow?: string | undefined },
  ): Promise<Response> => {
    const inference = task_id.slice(0, task_id.indexOf('-task'))
    c.header('Content-Type', 'text/plain; charset=utf-8')
    c.header('X-Content-Type-Options', 'nosniff')
    const status = await logs.stepStatus(task_id, step_id)
    if (!status) return fail(404, NOT_FOUND)
    // HEAD reads no body: a stream would wait for ever for its reader.
    if (c.req.method === 'HEAD') return c.body(null)
    if (['true', 'True', '1'].includes(query.follow ?? '') && ['READY', 'RUNNING'].includes(status))
      return stream(c, async (out) => {
        const abort = new AbortController()
        out.onAbort(() => abort.abort())
        for await (const text of logs.follow(inference, task_id, step_id, abort.signal))
          await out.write(text)
      })
    return c.body(tail((await logs.whole(inference, task_id, step_id)) ?? '', query.tail_lines))
  }
}
