import { sql } from 'kysely'
import { z } from 'zod'
import type { Config } from '../config.ts'
import type { Db } from '../database.ts'
import { prepare } from '../inference/create.ts'
import type { InferenceRepository } from '../inference/repository.ts'
import { inferenceAnswer, type InferenceInput, tryOutInput } from '../inference/schema.ts'
import type { ModelRepository } from '../models/repository.ts'
import { envelope, fail, paging, type Router } from '../routing.ts'
import { wireTime } from '../time.ts'

const tag = 'Tunes'
const params = z.object({ tune_id: z.string().max(100) })

/** What running a tune needs of `/v2/tunes`. @see contract.md 1.9 */
export const tuneRoutes = (
  router: Router,
  deps: { db: Db; config: Config; models: ModelRepository; inferences: InferenceRepository },
): void => {
  const { db, config } = deps
  const live = (user: string) =>
    db.selectFrom('tune').selectAll().where('created_by', 'in', [user, config.DEFAULT_SYSTEM_USER])
  const answer = ({ created_at, inference: _, ...row }: Record<string, any>) => ({
    ...row,
    created_at: wireTime(created_at),
  })
  router.add(
    {
      ...{ method: 'get', path: '/v2/tunes', tag, summary: 'Tunes that you can run' },
      query: z.object(paging),
      responses: { 200: 'Tunes' },
    },
    async ({ c, user, query }) => {
      const rows = await live(user).orderBy('id').limit(query.limit).offset(query.skip).execute()
      const { total } = await live(user)
        .clearSelect()
        .select(sql<string>`count(*)`.as('total'))
        .executeTakeFirstOrThrow()
      return c.json(envelope(Number(total), rows.map(answer)))
    },
  )
  router.add(
    {
      ...{ method: 'get', path: '/v2/tunes/:tune_id', tag, summary: 'Get a tune' },
      params,
      responses: { 200: 'The tune', 404: 'Tune not found' },
    },
    async ({ c, user, params }) => {
      const row = await live(user).where('id', '=', params.tune_id).executeTakeFirst()
      return row ? c.json(answer(row)) : fail(404, 'Tune not found')
    },
  )
  router.add(
    {
      ...{ method: 'post', path: '/v2/tunes/:tune_id/try-out', tag, summary: 'Run a tune' },
      params,
      body: tryOutInput,
      responses: { 200: 'The inference', 400: 'Options are missing', 404: 'Tune not found' },
    },
    async ({ c, user, params, body }) => {
      const tune = await live(user).where('id', '=', params.tune_id).executeTakeFirst()
      if (!tune) return fail(404, 'Tune not found')
      const request = {
        ...body,
        model_id: null,
        model_display_name: 'geofm-sandbox-models',
        fine_tuning_id: tune.id,
      } as InferenceInput
      const prepared = await prepare(deps, user, request)
      return c.json(inferenceAnswer(await deps.inferences.create(user, prepared)))
    },
  )
}
