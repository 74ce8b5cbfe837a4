import { z } from 'zod'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import { told } from '../http/answers.ts'
import { pageHead } from '../http/cursors.ts'
import { MIDDLE } from '../http/limits.ts'
import { cursorPaging, fail, KEY_USED, type Router, uuidParams } from '../http/routing.ts'
import { checkStored } from '../quota/runs.ts'
import type { Store } from '../storage/store.ts'
import { aModel, anItem, deployed, mlmItem, modelSchema, modelsSchema } from './answers.ts'
import { modelRepository } from './repository.ts'
import { asItem, fromItem } from './item.ts'
import { deployInput, modelAnswer, modelInput } from './schema.ts'
import { deploy } from './deploy.ts'
import type { ExportLogs } from './export-log.ts'
import { keepFiles, ownsFiles, removeFiles } from './weights.ts'

const tag = 'Models'
const path = '/v2/models'
const one = `${path}/:id`
const NOT_FOUND = 'Model not found'
const NO_EDIT = 'Missing permissions to edit this record.'

/** `/v2/models`. @see docs/wire.md#models */
export const modelRoutes = (
  router: Router,
  {
    db,
    config,
    store,
    exportLogs,
  }: { db: Db; config: Config; store: Store; exportLogs: ExportLogs },
): void => {
  const models = modelRepository(db, config)
  /** The input with its files kept, and what they take. */
  const kept = async (user: string, body: z.output<typeof modelInput>) => {
    if (ownsFiles(store, body.inference)) await checkStored(db, config, user)
    const { inference, bytes } = await keepFiles(store, body.inference)
    return { ...body, inference, ...(body.inference ? { stored_bytes: bytes } : {}) }
  }
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
        modelAnswer(await modelRepository(db, config).create(user, await kept(user, body))),
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
      if (!row) return fail(404, NOT_FOUND)
      const url = await exportLogs.urlOf('models', row.id)
      return reply.json(200, { ...modelAnswer(row), ...(url ? { logs_presigned_url: url } : {}) })
    },
  )
  exportLogs.route(router, 'models', tag)
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
      const before = await models.get(user, params.id)
      const row = await models.patch(user, params.id, await kept(user, body))
      if (row && body.inference) await removeFiles(db, store, before?.inference)
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
      const seen = await models.get(user, params.id)
      if (await models.remove(user, params.id)) {
        await removeFiles(db, store, seen?.inference)
        return reply.empty(204)
      }
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
      const { id, internal_name, display_name } = await deploy({ db, config }, user, row, body)
      return reply.json(200, { id, internal_name, display_name, status: 'DEPLOY_REQUESTED' })
    },
  )
}
