import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { filesOf } from '../../steps/weights.ts'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import { told } from '../http/answers.ts'
import { inTransaction } from '../http/idempotency.ts'
import { MIDDLE } from '../http/limits.ts'
import { fail, KEY_USED, type Router } from '../http/routing.ts'
import { findTune } from '../inference/create.ts'
import { withoutNulls } from '../../pipelines/request-fields.ts'
import { fileUrl, queueJob } from '../models/jobs.ts'
import { modelFileKey, removeFiles } from '../models/weights.ts'
import { checkRecords } from '../quota/records.ts'
import { checkStored } from '../quota/runs.ts'
import { LIFETIME, type Store } from '../storage/store.ts'
import { aTune, changedSchema, downloadSchema, tuneAnswer, uploadSchema } from './answers.ts'

const tag = 'Tunes'
const objects = z.array(z.record(z.string(), z.unknown())).nullish()
const options = {
  model_input_data_spec: objects,
  data_connector_config: objects,
  geoserver_push: objects,
  post_processing: z.record(z.string(), z.unknown()).nullish(),
}
const uploadInput = z.object({
  name: z.string().min(1).max(100),
  description: z.string().max(4000).nullish(),
  tune_config_url: z.string().max(8000),
  tune_checkpoint_url: z.string().max(8000),
  ...options,
})
const changeInput = z.object({
  name: z.string().min(1).max(100).nullish(),
  description: z.string().max(4000).nullish(),
  train_options: z.record(z.string(), z.unknown()).nullish(),
})
const params = z.object({ tune_id: z.string().max(100) })
const one = '/v2/tunes/:tune_id'
const NOT_FOUND = 'Tune not found'
const CHANGED = 'Tune successfully updated.'
/** Lower-case letters and digits, as the seed's short ids. */
const newId = (): string =>
  `geotune-${BigInt(`0x${randomBytes(14).toString('hex')}`)
    .toString(36)
    .padStart(22, '0')
    .slice(-22)}`

const given = (values: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value !== null && value !== undefined)
      .map(([key, value]) => [key, withoutNulls(value)]),
  )

/** `changes` over `before`, object by object: what a change does not name stays. */
const merged = (
  before: Record<string, unknown>,
  changes: Record<string, unknown>,
): Record<string, unknown> => {
  const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  const pairs = Object.entries(changes).map(([key, value]) => {
    const old = Object.hasOwn(before, key) ? before[key] : undefined
    return [key, isObject(old) && isObject(value) ? merged(old, value) : value]
  })
  return { ...before, ...Object.fromEntries(pairs) }
}

/** A user's own tunes: uploaded, changed, downloaded and deleted. */
export const uploadedTuneRoutes = (
  router: Router,
  { config, store }: { config: Config; store: Store },
): void => {
  router.add(
    {
      ...{ method: 'post', path: '/v2/upload-completed-tunes', tag },
      summary: 'Upload a fine-tuned TerraTorch model by its config and checkpoint',
      body: uploadInput,
      limits: MIDDLE,
      once: true,
      example: {
        name: 'flood',
        description: 'Fine-tuned on my own chips',
        tune_config_url: 'https://host.example.org/config_deploy.yaml',
        tune_checkpoint_url: 'https://host.example.org/best.ckpt',
      },
      responses: {
        201: told('The export has begun', uploadSchema, {
          message: 'Upload started',
          tune_id: aTune.id,
        }),
        ...KEY_USED,
      },
    },
    async ({ reply, db, user, body }) => {
      const { name, description, tune_config_url, tune_checkpoint_url, ...rest } = body
      const urls = {
        config_url: fileUrl(tune_config_url, 'tune_config_url'),
        checkpoint_url: fileUrl(tune_checkpoint_url, 'tune_checkpoint_url'),
      }
      await checkRecords(db, config, user, 'tunes')
      await checkStored(db, config, user)
      const id = newId()
      await inTransaction(db, async (trx) => {
        const row = { id, name, description: description ?? null, status: 'Pending' }
        const train_options = JSON.stringify(given(rest))
        await trx
          .insertInto('tune')
          .values({ ...row, train_options, inference: null, error: null, created_by: user })
          .execute()
        await queueJob(trx, { tune_id: id }, urls)
      })
      return reply.json(201, { message: 'Upload started', tune_id: id })
    },
  )
  router.add(
    {
      ...{ method: 'patch', path: one, tag, summary: 'Change a tune’s name and options' },
      params,
      body: changeInput,
      limits: MIDDLE,
      example: { name: 'flood-2' },
      responses: {
        200: told('The tune', changedSchema, { message: CHANGED, ...aTune }),
        404: NOT_FOUND,
      },
    },
    async ({ reply, db, user, params, body }) => {
      const { train_options, ...rest } = body
      const row = await inTransaction(db, async (trx) => {
        const own = await trx
          .selectFrom('tune')
          .select('train_options')
          .where('id', '=', params.tune_id)
          .where('created_by', '=', user)
          .forUpdate()
          .executeTakeFirst()
        if (!own) return undefined
        const options = JSON.stringify(merged(own.train_options, train_options ?? {}))
        return trx
          .updateTable('tune')
          .set({ ...given(rest), train_options: options, updated_at: new Date() })
          .where('id', '=', params.tune_id)
          .returningAll()
          .executeTakeFirstOrThrow()
      })
      if (!row) return fail(404, NOT_FOUND)
      return reply.json(200, { message: CHANGED, ...tuneAnswer(row, config) })
    },
  )
  router.add(
    {
      ...{ method: 'get', path: `${one}/download`, tag, summary: 'Config and checkpoint' },
      params,
      responses: {
        200: told('The tune with URLs of its files', downloadSchema, {
          ...aTune,
          config_url: 'https://host.example.org/config.yaml?token=...',
          checkpoint_url: 'https://host.example.org/checkpoint.ckpt?token=...',
        }),
        404: NOT_FOUND,
      },
    },
    async ({ reply, db, user, params }) => {
      const row = await findTune({ db, config }, user, params.tune_id)
      if (!row) return fail(404, NOT_FOUND)
      const urls: Record<string, string> = {}
      for (const [key, from] of filesOf(row.inference)) {
        if (!('url' in from)) continue
        const stored = modelFileKey(key, from.sha256)
        if ((await store.size(stored)) !== undefined)
          urls[`${key}_url`] = await store.signGet(stored, LIFETIME.output)
      }
      return reply.json(200, { ...tuneAnswer(row, config), ...urls })
    },
  )
  router.add(
    {
      ...{ method: 'delete', path: one, tag, summary: 'Delete a tune and its files' },
      params,
      responses: { 204: 'Gone', 404: NOT_FOUND },
    },
    async ({ reply, db, user, params }) => {
      const { tune_id } = params
      const row = await inTransaction(db, async (trx) => {
        await trx
          .deleteFrom('artifact_permissions')
          .where('artifact_type', '=', 'tune')
          .where('artifact_id', '=', tune_id)
          .where((e) =>
            e.exists(
              e
                .selectFrom('tune')
                .select('id')
                .where('id', '=', tune_id)
                .where('created_by', '=', user),
            ),
          )
          .execute()
        return trx
          .deleteFrom('tune')
          .where('id', '=', tune_id)
          .where('created_by', '=', user)
          .returningAll()
          .executeTakeFirst()
      })
      if (!row)
        return fail(
          404,
          (await findTune({ db, config }, user, tune_id))
            ? 'Missing permissions to delete this record.'
            : NOT_FOUND,
        )
      await removeFiles(db, store, row.inference)
      await store.removeBelow(`tune-tasks/${tune_id}`)
      return reply.empty(204)
    },
  )
}
