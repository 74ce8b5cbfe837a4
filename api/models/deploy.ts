import type { Selectable } from 'kysely'
import type { z } from 'zod'
import type { Config } from '../config.ts'
import { type Database, type Db, json } from '../database/database.ts'
import { HttpError } from '../http/errors.ts'
import { inTransaction } from '../http/idempotency.ts'
import { filled, findTune } from '../inference/create.ts'
import { checkStored } from '../quota/runs.ts'
import { fileUrl, queueJob, servedHere } from './jobs.ts'
import { modelRepository } from './repository.ts'
import type { deployInput, ModelRow } from './schema.ts'
import { wireSteps } from './shipped.ts'

type Tune = Selectable<Database['tune']>
const CLOSED = ['DEPLOY_REQUESTED', 'DEPLOY_IN_PROGRESS', 'COMPLETED', 'UNAVAILABLE']

const refused = (field: string | undefined, msg: string): HttpError =>
  new HttpError(422, [
    { type: 'value_error', loc: field === undefined ? ['body'] : ['body', field], msg },
  ])

/** The tune by which a model is to be run. @throws HttpError 422 with what to do */
const tuneOf = async (deps: { db: Db; config: Config }, user: string, id: string) => {
  const tune = await findTune(deps, user, id)
  const field = 'fine_tuned_model_id'
  if (!tune)
    throw refused(field, `Tune ${id} not found: see GET /v2/tunes for those that you can deploy.`)
  if (tune.status === 'Finished' && tune.inference) return tune
  const why = tune.error
    ? `${tune.error.code}: ${tune.error.message}`
    : 'wait for its status Finished'
  throw refused(field, `Tune in state: ${tune.status} cannot be deployed: ${why}`)
}

/** What a model runs by when a tune is deployed as it: the tune's files, and its options where the model has none. */
const byTune = (model: ModelRow, { inference, stored_bytes, train_options }: Tune) => ({
  status: 'COMPLETED',
  error: null,
  inference: json(inference),
  stored_bytes: Number(stored_bytes),
  pipeline_steps: json(
    model.pipeline_steps?.length
      ? servedHere(model.pipeline_steps)
      : wireSteps(
          ...['terrakit-data-fetch', 'terratorch-inference'],
          ...['postprocess-generic', 'push-to-geoserver'],
        ),
  ),
  model_input_data_spec: json(
    filled(model.model_input_data_spec) ?? train_options.model_input_data_spec,
  ),
  geoserver_push: json(filled(model.geoserver_push) ?? train_options.geoserver_push),
  postprocessing_options: json(
    filled(model.postprocessing_options) ?? train_options.post_processing,
  ),
})

/**
 * Asks for a model to be deployed: by the URLs of a config and a checkpoint, which are exported, or
 * by `fine_tuned_model_id`, a tune that was exported when it was uploaded. URLs go first.
 *
 * @throws HttpError 422 where neither is given whole, the tune cannot be run, or the state forbids it
 */
export const deploy = async (
  { db, config }: { db: Db; config: Config },
  user: string,
  row: ModelRow,
  body: z.output<typeof deployInput> | undefined,
): Promise<ModelRow> => {
  const given: Record<string, unknown> = Object.fromEntries(
    Object.entries(body ?? {}).filter(([, value]) => value !== null && value !== undefined),
  )
  const onboarding: Record<string, unknown> = { ...row.model_onboarding_config, ...given }
  // A tune that the request names alone goes before URLs that the model was given earlier.
  const byTuneAlone =
    given.fine_tuned_model_id && !given.model_configs_url && !given.model_checkpoint_url
  const { model_configs_url, model_checkpoint_url, fine_tuned_model_id } = byTuneAlone
    ? given
    : onboarding
  const both = !!model_configs_url && !!model_checkpoint_url
  if (!both && (!fine_tuned_model_id || model_configs_url || model_checkpoint_url))
    throw refused(
      undefined,
      `Both model_checkpoint_url and model_configs_url should be provided in the \`${row.display_name}\` model to run inference on a fine-tuned model.`,
    )
  if (CLOSED.includes(row.status))
    throw new HttpError(422, {
      message: `Model in state: ${row.status} cannot be redeployed. Create a new Model.`,
    })
  if (!both) {
    const tune = await tuneOf({ db, config }, user, String(fine_tuned_model_id))
    return db
      .updateTable('inf_model')
      .set({
        ...byTune(row, tune),
        model_onboarding_config: json(onboarding),
        updated_at: new Date(),
      })
      .where('id', '=', row.id)
      .returningAll()
      .executeTakeFirstOrThrow()
  }
  const urls = {
    config_url: fileUrl(model_configs_url, 'model_configs_url'),
    checkpoint_url: fileUrl(model_checkpoint_url, 'model_checkpoint_url'),
  }
  await checkStored(db, config, user)
  return inTransaction(db, async (trx) => {
    await queueJob(trx, { model_id: row.id }, urls)
    return modelRepository(trx, config).setStatus(row.id, 'DEPLOY_REQUESTED', onboarding)
  })
}
