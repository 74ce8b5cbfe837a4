import { log } from '../watch/log.ts'
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { PlannerCatalogue } from '../../pipelines/planner.ts'
import { INFERENCE_ENDS } from '../../pipelines/status.ts'
import type { Config } from '../config.ts'
import type { Db, WireStep } from '../database/database.ts'
import { type Answer, type Reply, told } from '../http/answers.ts'
import type { Ctx } from '../http/context.ts'
import { cursorAfter, pageHead, cursorText } from '../http/cursors.ts'
import { LARGE, largeTurns } from '../http/turns.ts'
import {
  fail,
  KEY_USED,
  paging,
  type Router,
  switchText,
  uuid,
  uuidParams,
  wholeText,
} from '../http/routing.ts'
import { tidyRequest } from '../../pipelines/request-fields.ts'
import type { Store } from '../storage/store.ts'
import { dryRunSchema, inferenceSchema, inferencesSchema, message, tasksSchema } from './answers.ts'
import { aDryRun, anInference, aRequest, someTasks } from './examples.ts'
import { prepare } from './create.ts'
import { dryRunAnswer, dryRunPlan } from './dry-run.ts'
import { purgeNow } from './purge.ts'
import { type InferenceRepository, inferenceRepository } from './repository.ts'
import { inferenceAnswer, inferenceInput, inferenceLimits, type InferenceRow } from './schema.ts'

const tag = 'Inference'
const path = '/v2/inference'
const one = `${path}/:id`
const NOT_FOUND = 'Inference not found'
const refusals = {
  400: 'geoserver_push or model_input_data_spec is missing',
  404: 'The model or the processor was not found',
}
/** A step with the keys that clients know first. @see docs/wire.md#statuses */
const stepAnswer = ({
  status,
  process_id,
  step_number,
  start_time,
  end_time,
  ...more
}: WireStep) => ({
  status,
  process_id,
  step_number,
  ...(start_time ? { start_time } : {}),
  ...(end_time ? { end_time } : {}),
  ...more,
})

const oneResponses = {
  200: told('The inference', inferenceSchema, anInference),
  304: 'Not changed since the ETag',
  404: NOT_FOUND,
}

/** With an ETag, or 304 where the client has that one. */
const oneAnswer = async (
  c: Ctx,
  reply: Reply<typeof oneResponses>,
  found: Promise<InferenceRow | undefined>,
): Promise<Answer> => {
  const row = await found
  if (!row) return fail(404, NOT_FOUND)
  const body = inferenceAnswer(row)
  const text = JSON.stringify(body)
  const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`
  c.header('ETag', etag)
  // RFC 9110 13.1.2: weak comparison, and `*` stands for any.
  const told = (c.req.header('if-none-match') ?? '').split(',')
  const known = told.map((tag) => tag.trim().replace(/^W\//, ''))
  if (known.includes(etag) || known.includes('*')) return reply.empty(304)
  return reply.json(200, body, text)
}

/** `/v2/inference`. @see docs/wire.md#inference */
export const inferenceRoutes = (
  router: Router,
  deps: {
    db: Db
    config: Config
    inferences: InferenceRepository
    store: Store
    catalogue: PlannerCatalogue
  },
): void => {
  const { db, config, inferences, store, catalogue } = deps
  /** What a deleted inference made goes too; where the store is away a runner does it later. */
  const forget = (id: string) =>
    purgeNow({ db, store, config }, id).catch((err) =>
      log.error({ inference: id, err }, 'its objects stay for now'),
    )
  router.add(
    {
      ...{ method: 'post', path, tag, summary: 'Run a model over a place and a time' },
      body: inferenceInput,
      tidy: tidyRequest,
      limits: inferenceLimits,
      once: true,
      example: aRequest,
      responses: {
        201: told('The inference, PENDING', inferenceSchema, anInference),
        ...refusals,
        ...KEY_USED,
      },
    },
    async ({ c, reply, db, user, body }) => {
      const prepared = await prepare({ db, config }, user, body)
      const from = c.req.header('traceparent')
      const row = await inferenceRepository(db, config).create(user, prepared, from)
      return reply.json(201, inferenceAnswer(row))
    },
  )
  router.add(
    {
      ...{ method: 'post', path: `${path}/dry-run`, tag, summary: 'Show what would run' },
      body: inferenceInput,
      tidy: tidyRequest,
      limits: inferenceLimits,
      example: aRequest,
      responses: {
        201: told('What the pipeline would be given', dryRunSchema, aDryRun),
        ...refusals,
      },
    },
    async ({ reply, db, user, body }) => {
      const prepared = await prepare({ db, config }, user, body)
      const plan = await dryRunPlan(db, { config, store, catalogue }, user, prepared)
      return reply.json(201, { ...dryRunAnswer(user, prepared), plan })
    },
  )
  router.add(
    {
      ...{ method: 'get', path, tag, summary: 'List inferences, newest first' },
      query: z.object({
        model_id: uuid.optional(),
        tune_id: z.string().optional(),
        created_by: z.string().optional(),
        location: z.string().optional(),
        saved: switchText,
        cursor: cursorText,
        // Beyond the seed: what the page filters by.
        status: z.string().max(50).toUpperCase().optional(),
        generic_processor_id: uuid.optional(),
        q: z.string().max(200).optional(),
        ...paging,
      }),
      responses: {
        200: told('Inferences', inferencesSchema, {
          ...{ total_records: 1, page_count: 1 },
          results: [anInference],
        }),
      },
    },
    async ({ reply, user, query }) => {
      const { places, total } = await inferences.list(user, query)
      const ids = places.map(([, id]) => id)
      const head = pageHead(total, places, query)
      const read = async (some: string[]) => (await inferences.listed(some)).map(inferenceAnswer)
      return reply.list(200, 'results', { head, ids, read })
    },
  )
  router.add(
    {
      ...{ method: 'get', path: one, tag, summary: 'Get an inference, with an ETag' },
      params: uuidParams,
      responses: oneResponses,
    },
    async ({ c, reply, user, params }) => {
      const seen = await inferences.seen(user, params.id)
      if (!seen) return fail(404, NOT_FOUND)
      const answer = () => oneAnswer(c, reply, inferences.get(user, params.id))
      return seen.config_bytes > LARGE ? largeTurns.take(answer) : answer()
    },
  )
  router.add(
    {
      ...{ method: 'delete', path: one, tag, summary: 'Delete an inference and stop its tasks' },
      params: uuidParams,
      responses: { 204: 'Gone', 404: NOT_FOUND },
    },
    async ({ reply, user, params }) => {
      if (await inferences.remove(user, params.id)) {
        await forget(params.id)
        return reply.empty(204)
      }
      const seen = await inferences.seen(user, params.id)
      return fail(404, seen ? 'Missing permissions to delete this record.' : NOT_FOUND)
    },
  )
  router.add(
    {
      ...{ method: 'post', path: `${one}/cancel`, tag, summary: 'Stop an inference' },
      params: uuidParams,
      once: true,
      responses: {
        202: told('Accepted, or why there is nothing to stop', message, {
          msg: 'Inference in COMPLETED end state cannot be stopped.',
        }),
        404: NOT_FOUND,
        ...KEY_USED,
      },
    },
    async ({ reply, db, user, params }) => {
      const own = inferenceRepository(db, config)
      const row = await own.seen(user, params.id)
      if (row?.created_by !== user) return fail(404, NOT_FOUND)
      const status = await own.cancel(params.id)
      const msg = INFERENCE_ENDS.includes(status)
        ? `Inference in ${status} end state cannot be stopped.`
        : 'Cancel inference request accepted.Inference tasks will be terminated gracefully.'
      return reply.json(202, { msg })
    },
  )
  router.add(
    {
      ...{ method: 'get', path: `${one}/tasks`, tag, summary: 'All tasks with their steps' },
      params: uuidParams,
      query: z.object({ limit: wholeText.optional(), skip: paging.skip, cursor: cursorText }),
      responses: {
        200: told('Tasks, newest first; all, unless a limit is given', tasksSchema, someTasks),
        404: NOT_FOUND,
      },
    },
    async ({ reply, user, params, query }) => {
      const row = await inferences.seen(user, params.id)
      if (!row) return fail(404, NOT_FOUND)
      const { limit = Infinity, cursor } = query
      const ids = await inferences.taskIds(params.id, query)
      const places = ids.map((id) => [id])
      const head = (count: number) => ({
        ...{ inference_id: row.id, status: row.status },
        ...cursorAfter(cursor, places, count, limit),
      })
      const read = async (some: string[]) =>
        (await inferences.tasks(some)).map(({ id: _, pipeline_steps, ...task }) => ({
          ...task,
          pipeline_steps: pipeline_steps.map(stepAnswer),
        }))
      return reply.list(200, 'tasks', { head, ids, read, rows: 200 })
    },
  )
}
