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
import { fail, KEY_USED, type Router } from '../http/routing.ts'
import type { ExportLogs } from '../models/export-log.ts'
import type { Store } from '../storage/store.ts'
import { aTune, metricsSchema, tuneAnswer, tuneSchema } from './answers.ts'
import { tuneListRoutes } from './list.ts'
import { uploadedTuneRoutes } from './uploaded.ts'

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

const params = z.object({ tune_id: z.string().max(100) })
const UNTRAINED = 'The tune was trained elsewhere: geodag keeps no metrics of its training.'

/** `/v2/tunes`, and how a user's own gets there. @see docs/wire.md#tunes */
export const tuneRoutes = (
  router: Router,
  {
    db,
    config,
    store,
    exportLogs: logs,
  }: { db: Db; config: Config; store: Store; exportLogs: ExportLogs },
): void => {
  tuneListRoutes(router, { db, config })
  uploadedTuneRoutes(router, { config, store })
  router.add(
    {
      ...{ method: 'get', path: '/v2/tunes/:tune_id', tag, summary: 'Get a tune' },
      params,
      responses: { 200: told('The tune', tuneSchema, aTune), 404: 'Tune not found' },
    },
    async ({ reply, user, params }) => {
      const row = await findTune({ db, config }, user, params.tune_id)
      if (!row) return fail(404, 'Tune not found')
      const logs_presigned_url = await logs.urlOf('tunes', row.id)
      return reply.json(200, { ...tuneAnswer(row, config), logs_presigned_url })
    },
  )
  logs.route(router, 'tunes', tag)
  router.add(
    {
      ...{ method: 'get', path: '/v2/tunes/:tune_id/metrics', tag },
      summary: 'Metrics of a training: none, for tunes are not trained here',
      params,
      responses: {
        200: told('No runs', metricsSchema, {
          ...{ id: aTune.id, status: 'FINISHED', runs: [], details: UNTRAINED },
        }),
        404: 'Tune not found',
      },
    },
    async ({ reply, user, params }) => {
      const row = await findTune({ db, config }, user, params.tune_id)
      if (!row) return fail(404, 'Tune not found')
      return reply.json(200, { id: row.id, status: 'FINISHED', runs: [], details: UNTRAINED })
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
