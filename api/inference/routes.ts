import { createHash } from 'node:crypto'
import { z } from 'zod'
import { INFERENCE_ENDS } from '../../pipelines/status.ts'
import type { Config } from '../config.ts'
import type { Db, WireStep } from '../database.ts'
import { idempotent } from '../idempotency.ts'
import type { ModelRepository } from '../models/repository.ts'
import { envelope, fail, paging, type Router, uuidParams } from '../routing.ts'
import type { Store } from '../storage/store.ts'
import { prepare } from './create.ts'
import { dryRunAnswer } from './dry-run.ts'
import type { InferenceRepository } from './repository.ts'
import { inferenceAnswer, inferenceInput } from './schema.ts'

const tag = 'Inference'
const path = '/v2/inference'
const one = `${path}/:id`
const NOT_FOUND = 'Inference not found'
const refusals = {
  400: 'geoserver_push or model_input_data_spec is missing',
  404: 'The model or the processor was not found',
}
const switchText = z.enum(['true', 'false', 'True', 'False', '1', '0']).optional()

/** A step with the keys that clients know first. @see contract.md 2.1 */
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

/** `/v2/inference`. @see contract.md 1.3 */
export const inferenceRoutes = (
  router: Router,
  deps: {
    db: Db
    config: Config
    models: ModelRepository
    inferences: InferenceRepository
    store: Store
  },
): void => {
  const { inferences, store } = deps
  /** What a deleted inference made goes too; where the store is away it stays, hidden. */
  const forget = (id: string) =>
    store.removeBelow(id).catch((error) => console.error(`objects of ${id}`, error))
  router.add(
    {
      ...{ method: 'post', path, tag, summary: 'Run a model over a place and a time' },
      body: inferenceInput,
      responses: {
        201: 'The inference, PENDING',
        ...refusals,
        409: 'The Idempotency-Key was used for another request',
      },
    },
    ({ c, user, body }) =>
      idempotent(deps.db, c, user, body, async () => {
        const prepared = await prepare(deps, user, body)
        return { status: 201, body: inferenceAnswer(await inferences.create(user, prepared)) }
      }),
  )
  router.add(
    {
      ...{ method: 'post', path: `${path}/dry-run`, tag, summary: 'Show what would run' },
      body: inferenceInput,
      responses: { 201: 'What the pipeline would be given', ...refusals },
    },
    async ({ c, user, body }) => c.json(dryRunAnswer(user, await prepare(deps, user, body)), 201),
  )
  router.add(
    {
      ...{ method: 'get', path, tag, summary: 'List inferences, newest first' },
      query: z.object({
        model_id: z.guid().optional(),
        tune_id: z.string().optional(),
        created_by: z.string().optional(),
        location: z.string().optional(),
        saved: switchText,
        ...paging,
      }),
      responses: { 200: 'Inferences' },
    },
    async ({ c, user, query }) => {
      const saved =
        query.saved === undefined ? undefined : ['true', 'True', '1'].includes(query.saved)
      const { rows, total } = await inferences.list(user, { ...query, saved })
      return c.json(envelope(total, rows.map(inferenceAnswer)))
    },
  )
  router.add(
    {
      ...{ method: 'get', path: one, tag, summary: 'Get an inference, with an ETag' },
      params: uuidParams,
      responses: { 200: 'The inference', 304: 'Not changed since the ETag', 404: NOT_FOUND },
    },
    async ({ c, user, params }) => {
      const row = await inferences.get(user, params.id)
      if (!row) return fail(404, NOT_FOUND)
      const answer = inferenceAnswer(row)
      const digest = createHash('sha256').update(JSON.stringify(answer)).digest('base64url')
      const etag = `"${digest.slice(0, 22)}"`
      c.header('ETag', etag)
      const known = (c.req.header('if-none-match') ?? '').split(',').map((tag) => tag.trim())
      return known.includes(etag) ? c.body(null, 304) : c.json(answer)
    },
  )
  router.add(
    {
      ...{ method: 'delete', path: one, tag, summary: 'Delete an inference and stop its tasks' },
      params: uuidParams,
      responses: { 204: 'Gone', 404: NOT_FOUND },
    },
    async ({ c, user, params }) => {
      if (await inferences.remove(user, params.id)) {
        await forget(params.id)
        return c.body(null, 204)
      }
      const seen = await inferences.get(user, params.id)
      return fail(404, seen ? 'Missing permissions to delete this record.' : NOT_FOUND)
    },
  )
  router.add(
    {
      ...{ method: 'post', path: `${one}/cancel`, tag, summary: 'Stop an inference' },
      params: uuidParams,
      responses: { 202: 'Accepted, or why there is nothing to stop', 404: NOT_FOUND },
    },
    async ({ c, user, params }) => {
      const row = await inferences.get(user, params.id)
      if (row?.created_by !== user) return fail(404, NOT_FOUND)
      const status = await inferences.cancel(params.id)
      const msg = INFERENCE_ENDS.includes(status)
        ? `Inference in ${status} end state cannot be stopped.`
        : 'Cancel inference request accepted.Inference tasks will be terminated gracefully.'
      return c.json({ msg }, 202)
    },
  )
  router.add(
    {
      ...{ method: 'get', path: `${one}/tasks`, tag, summary: 'All tasks with their steps' },
      params: uuidParams,
      responses: { 200: 'Tasks, newest first', 404: NOT_FOUND },
    },
    async ({ c, user, params }) => {
      const row = await inferences.get(user, params.id)
      if (!row) return fail(404, NOT_FOUND)
      const tasks = await inferences.tasks(params.id)
      return c.json({
        inference_id: row.id,
        status: row.status,
        tasks: tasks.map(({ inference_id, task_id, inference_folder, status, pipeline_steps }) => ({
          inference_id,
          task_id,
          inference_folder,
          status,
          pipeline_steps: pipeline_steps.map(stepAnswer),
        })),
      })
    },
  )
}
