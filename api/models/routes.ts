import { z } from 'zod'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import { told } from '../http/answers.ts'
import { pageHead } from '../http/cursors.ts'
import { inTransaction } from '../http/idempotency.ts'
import { MIDDLE } from '../http/limits.ts'
import { cursorPaging, fail, KEY_USED, type Router, uuidParams } from '../http/routing.ts'
import type { Store } from '../storage/store.ts'
import { aModel, anItem, deployed, mlmItem, modelSchema, modelsSchema } from './answers.ts'
import { modelRepository } from './repository.ts'
import { asItem, fromItem } from './item.ts'
import { deployInput, modelAnswer, modelInput } from './schema.ts'
import { fileUrl, queueJob } from './jobs.ts'
import { keepFiles } from './weights.ts'

const tag = 'Models'
const path = '/v2/models'
const one = `${path}/:id`
const NOT_FOUND = 'Model not found'
const NO_EDIT = 'Missing permissions to edit this record.'

/** `/v2/models`. @see docs/wire.md#models */
export const modelRoutes = (router: Router, db: Db, config: Config, store: Store): void => {
  const models = modelRepository(db, config)
  const kept = async (body: z.output<typeof modelInput>) => ({
    ...body,
    inference: await keepFiles(store, body.inference),
  })
  router.add(
    {
      ...{ method: 'post', path, tag },
      summary: 'Register a model by its metadata, or by a STAC Item of the MLM extension',
      body: modelInput,
      tidy: fromItem,
      limits: MIDDLE,
      once: true,
      example: { display_name: 'water', pipeline_steps: aModel.pipeline_steps },
      responses: { 201: told('The model', modelSchema, aModel), ...KEY_USED },
    },
    async ({ reply, db, user, body }) =>
      reply.json(
        201,
        modelAnswer(await modelRepository(db, config).create(user, await kept(body))),
      ),
  )
  router.add(
    {
      ...{ method: 'get', path, tag, summary: 'List models, newest first' },
      query: z.object({ internal_name: z.string().optional(), ...cursorPaging }),
      responses: {
        200: told('Models', modelsSchema, {
          ...{ total_records: 1, page_count: 1 },
          results: [aModel],
        }),
      },
    },
    async ({ reply, user, query }) => {
      const { places, total } = await models.list(user, query.internal_name, query)
      const ids = places.map(([, id]) => id)
      const head = pageHead(total, places, query)
      const read = async (some: string[]) => (await models.listed(some)).map(modelAnswer)
      return reply.list(200, 'results', { head, ids, read, rows: 3 })
    },
  )
  router.add(
    {
      ...{ method: 'get', path: one, tag, summary: 'Get a model' },
      params: uuidParams,
      responses: { 200: told('The model', modelSchema, aModel), 404: NOT_FOUND },
    },
    async ({ reply, user, params }) => {
      const row = await models.get(user, params.id)
      return row ? reply.json(200, modelAnswer(row)) : fail(404, NOT_FOUND)
    },
  )
  router.add(
    {
      ...{ method: 'get', path: `${one}/mlm`, tag },
      summary: 'Get a model as a STAC Item of the MLM extension, which POST takes',
      params: uuidParams,
      responses: {
        200: told('The Item', mlmItem, anItem),
        404: NOT_FOUND,
        409: 'The model says too little to be an Item: it has no bands or no steps',
      },
    },
    async ({ reply, user, params }) => {
      const row = await models.get(user, params.id)
      return row ? reply.json(200, asItem(row)) : fail(404, NOT_FOUND)
    },
  )
  router.add(
    {
      ...{
        method: 'patch',
        path: one,
        tag,
        summary: 'Change a model; nulls leave a field as it is',
      },
      params: uuidParams,
      body: modelInput,
      limits: MIDDLE,
      example: { display_name: 'water', description: 'Water, per pixel' },
      responses: { 201: told('The model', modelSchema, aModel), 404: NOT_FOUND },
    },
    async ({ reply, user, params, body }) => {
      const row = await models.patch(user, params.id, await kept(body))
      if (row) return reply.json(201, modelAnswer(row))
      return fail(404, (await models.get(user, params.id)) ? NO_EDIT : NOT_FOUND)
    },
  )
  router.add(
    {
      ...{ method: 'delete', path: one, tag, summary: 'Delete a model' },
      params: uuidParams,
      responses: { 204: 'Gone', 404: NOT_FOUND },
    },
    async ({ reply, user, params }) => {
      if (await models.remove(user, params.id)) return reply.empty(204)
      const seen = await models.get(user, params.id)
      return fail(404, seen ? 'Missing permissions to delete this record.' : NOT_FOUND)
    },
  )
  router.add(
    {
      ...{ method: 'post', path: `${one}/deploy`, tag, summary: 'Ask for a model to be deployed' },
      params: uuidParams,
      body: deployInput,
      bodyOptional: true,
      once: true,
      example: {
        model_configs_url: 'https://host.example.org/config.yaml',
        model_checkpoint_url: 'https://host.example.org/model.ckpt',
      },
      responses: {
        200: told('The request was noted', deployed, {
          ...{ id: aModel.id, internal_name: aModel.internal_name },
          ...{ display_name: aModel.display_name, status: 'DEPLOY_REQUESTED' },
        }),
        404: NOT_FOUND,
        ...KEY_USED,
      },
    },
    async ({ reply, db, user, params, body }) => {
      const models = modelRepository(db, config)
      const row = await models.get(user, params.id)
      if (!row) return fail(404, NOT_FOUND)
      if (row.created_by !== user) return fail(404, NO_EDIT)
      const given = Object.fromEntries(
        Object.entries(body ?? {}).filter(([, value]) => value !== null && value !== undefined),
      )
      const onboarding: Record<string, unknown> = { ...row.model_onboarding_config, ...given }
      if (!onboarding.model_checkpoint_url || !onboarding.model_configs_url)
        return fail(422, [
          {
            type: 'value_error',
            loc: ['body'],
            msg: `Both model_checkpoint_url and model_configs_url should be provided in the \`${row.display_name}\` model to run inference on a fine-tuned model.`,
          },
        ])
      if (
        ['DEPLOY_REQUESTED', 'DEPLOY_IN_PROGRESS', 'COMPLETED', 'UNAVAILABLE'].includes(row.status)
      )
        return fail(422, {
          message: `Model in state: ${row.status} cannot be redeployed. Create a new Model.`,
        })
      const urls = {
        config_url: fileUrl(onboarding.model_configs_url, 'model_configs_url'),
        checkpoint_url: fileUrl(onboarding.model_checkpoint_url, 'model_checkpoint_url'),
      }
      const next = await inTransaction(db, async (trx) => {
        await queueJob(trx, { model_id: row.id }, urls)
        return modelRepository(trx, config).setStatus(row.id, 'DEPLOY_REQUESTED', onboarding)
      })
      const { id, internal_name, display_name, status } = next
      return reply.json(200, { id, internal_name, display_name, status })
    },
  )
}
