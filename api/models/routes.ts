import { z } from 'zod'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import { MIDDLE } from '../http/limits.ts'
import { envelope, fail, KEY_USED, paging, type Router, uuidParams } from '../http/routing.ts'
import type { Store } from '../storage/store.ts'
import { modelRepository } from './repository.ts'
import { deployInput, modelAnswer, modelInput } from './schema.ts'
import { keepWeights } from './weights.ts'

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
    inference: await keepWeights(store, body.inference),
  })
  router.add(
    {
      ...{ method: 'post', path, tag, summary: 'Register a model by its metadata' },
      body: modelInput,
      limits: MIDDLE,
      once: true,
      responses: { 201: 'The model', ...KEY_USED },
    },
    async ({ c, db, user, body }) =>
      c.json(modelAnswer(await modelRepository(db, config).create(user, await kept(body))), 201),
  )
  router.add(
    {
      ...{ method: 'get', path, tag, summary: 'List models, newest first' },
      query: z.object({ internal_name: z.string().optional(), ...paging }),
      responses: { 200: 'Models' },
    },
    async ({ c, user, query }) => {
      const { rows, total } = await models.list(user, query.internal_name, query.limit, query.skip)
      return c.json(envelope(total, rows.map(modelAnswer)))
    },
  )
  router.add(
    {
      ...{ method: 'get', path: one, tag, summary: 'Get a model' },
      params: uuidParams,
      responses: { 200: 'The model', 404: NOT_FOUND },
    },
    async ({ c, user, params }) => {
      const row = await models.get(user, params.id)
      return row ? c.json(modelAnswer(row)) : fail(404, NOT_FOUND)
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
      responses: { 201: 'The model', 404: NOT_FOUND },
    },
    async ({ c, user, params, body }) => {
      const row = await models.patch(user, params.id, await kept(body))
      if (row) return c.json(modelAnswer(row), 201)
      return fail(404, (await models.get(user, params.id)) ? NO_EDIT : NOT_FOUND)
    },
  )
  router.add(
    {
      ...{ method: 'delete', path: one, tag, summary: 'Delete a model' },
      params: uuidParams,
      responses: { 204: 'Gone', 404: NOT_FOUND },
    },
    async ({ c, user, params }) => {
      if (await models.remove(user, params.id)) return c.body(null, 204)
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
      responses: { 200: 'The request was noted', 404: NOT_FOUND, ...KEY_USED },
    },
    async ({ c, db, user, params, body }) => {
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
      if (['DEPLOY_IN_PROGRESS', 'COMPLETED', 'UNAVAILABLE'].includes(row.status))
        return fail(422, {
          message: `Model in state: ${row.status} cannot be redeployed. Create a new Model.`,
        })
      const next = await models.setStatus(row.id, 'DEPLOY_REQUESTED', onboarding)
      const { id, internal_name, display_name, status } = next
      return c.json({ id, internal_name, display_name, status })
    },
  )
}
