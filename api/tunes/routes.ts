import { sql } from 'kysely'
import { z } from 'zod'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import { filled, findTune, prepare } from '../inference/create.ts'
import { inferenceSchema } from '../inference/answers.ts'
import { anInference, aRequest } from '../inference/examples.ts'
import { inferenceRepository } from '../inference/repository.ts'
import {
  inferenceAnswer,
  inferenceLimits,
  type InferenceInput,
  tryOutInput,
} from '../inference/schema.ts'
import { tidyRequest, withoutNulls } from '../../pipelines/request-fields.ts'
import { told } from '../http/answers.ts'
import { pageHead, placeOf } from '../http/cursors.ts'
import { cursorPaging, fail, KEY_USED, type Router } from '../http/routing.ts'
import { inOrder } from '../http/pages.ts'
import { exportLogKey } from '../models/jobs.ts'
import { LIFETIME, type Store } from '../storage/store.ts'
import { aTune, tuneAnswer, tuneSchema, tunesSchema } from './answers.ts'
import { uploadedTuneRoutes } from './uploaded.ts'
import { visible } from '../database/visibility.ts'

const tag = 'Tunes'
const OPTIONS = [
  'model_input_data_spec',
  'data_connector_config',
  'geoserver_push',
  'post_processing',
] as const

/** The tune's own options where the request has none: the tune goes before its sandbox model. */
const optionsOf = (kept: Record<string, unknown>, given: Record<string, unknown>) =>
  Object.fromEntries(
    OPTIONS.filter((key) => !filled(given[key]) && filled(kept[key])).map((key) => [
      key,
      withoutNulls(kept[key]),
    ]),
  )

const missingOf = (id: string): string =>
  `Missing geoserver_push and model_input_data_spec in the train_options of ${id} tune. Please provide them in the request or update the tune.`

/** What was tried stays with the tune of its owner, for the next try. @see docs/wire.md#tunes */
const keepOptions = async (
  db: Db,
  tune: { id: string; train_options: Record<string, unknown> },
  config: Record<string, unknown>,
): Promise<void> => {
  const tried = OPTIONS.filter((key) => filled(config[key])).map((key) => [key, config[key]])
  const train_options = JSON.stringify({ ...tune.train_options, ...Object.fromEntries(tried) })
  await db.updateTable('tune').set({ train_options }).where('id', '=', tune.id).execute()
}

/** Place in the list, which is in order of ids. */
const named = z.tuple([z.string().min(1).max(100)])
const params = z.object({ tune_id: z.string().max(100) })

/** `/v2/tunes`, and how a user's own gets there. @see docs/wire.md#tunes */
export const tuneRoutes = (
  router: Router,
  { db, config, store }: { db: Db; config: Config; store: Store },
): void => {
  uploadedTuneRoutes(router, { config, store })
  const live = (user: string) =>
    db
      .selectFrom('tune')
      .selectAll()
      .where(visible(user, config.DEFAULT_SYSTEM_USER, 'tune', 'tune'))
  const logOf = async (id: string) => {
    const key = exportLogKey(id)
    const there = (await store.size(key)) !== undefined
    return there ? { logs_presigned_url: await store.signGet(key, LIFETIME.log) } : {}
  }
  router.add(
    {
      ...{ method: 'get', path: '/v2/tunes', tag, summary: 'Tunes that you can run' },
      query: z.object(cursorPaging),
      responses: {
        200: told('Tunes', tunesSchema, {
          ...{ total_records: 1, page_count: 1 },
          results: [aTune],
        }),
      },
    },
    async ({ reply, user, query }) => {
      const after = placeOf(query.cursor, named)
      const found = await live(user)
        .clearSelect()
        .select('id')
        .$if(!!after, (q) => q.where('id', '>', after![0]))
        .orderBy('id')
        .limit(query.limit)
        .offset(query.skip)
        .execute()
      const { total } = await live(user)
        .clearSelect()
        .select(sql<string>`count(*)`.as('total'))
        .executeTakeFirstOrThrow()
      const ids = found.map(({ id }) => id)
      const places = ids.map((id) => [id])
      const head = pageHead(Number(total), places, query)
      const read = async (some: string[]) => {
        const rows = await live(user).where('id', 'in', some).execute()
        return inOrder(some, rows, ({ id }) => id).map(tuneAnswer)
      }
      return reply.list(200, 'results', { head, ids, read, rows: 3 })
    },
  )
  router.add(
    {
      ...{ method: 'get', path: '/v2/tunes/:tune_id', tag, summary: 'Get a tune' },
      params,
      responses: { 200: told('The tune', tuneSchema, aTune), 404: 'Tune not found' },
    },
    async ({ reply, user, params }) => {
      const row = await live(user).where('id', '=', params.tune_id).executeTakeFirst()
      return row
        ? reply.json(200, { ...tuneAnswer(row), ...(await logOf(row.id)) })
        : fail(404, 'Tune not found')
    },
  )
  router.add(
    {
      ...{ method: 'post', path: '/v2/tunes/:tune_id/try-out', tag, summary: 'Run a tune' },
      params,
      body: tryOutInput,
      tidy: tidyRequest,
      limits: inferenceLimits,
      once: true,
      example: { ...aRequest, model_display_name: null },
      responses: {
        200: told('The inference', inferenceSchema, anInference),
        400: 'Options are missing',
        404: 'Tune not found',
        ...KEY_USED,
      },
    },
    async ({ reply, db, user, params, body }) => {
      const tune = await findTune({ db, config }, user, params.tune_id)
      if (!tune) return fail(404, 'Tune not found')
      const request = {
        ...body,
        ...optionsOf(tune.train_options, body),
        model_id: null,
        model_display_name: 'geofm-sandbox-models',
        fine_tuning_id: tune.id,
      } as InferenceInput
      const prepared = await prepare({ db, config }, user, request, missingOf(tune.id))
      if (tune.created_by === user) await keepOptions(db, tune, prepared.config)
      return reply.json(
        200,
        inferenceAnswer(await inferenceRepository(db, config).create(user, prepared)),
      )
    },
  )
}
