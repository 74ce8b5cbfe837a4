import type { Selectable } from 'kysely'
import { type Bucket, bucketOf } from '../../connectors/buckets.ts'
import { findRow } from '../../connectors/catalogue.ts'
import type { CatalogueRow } from '../../connectors/row.ts'
import { modelOf } from '../../pipelines/runs-by.ts'
import { orderOf } from '../../pipelines/order.ts'
import { withoutNulls } from '../../pipelines/request-fields.ts'
import { type SplitSpecs, splitSpecs } from '../../steps/mask-spec.ts'
import type { InputSpec, PlanRequest } from '../../steps/plan-context.ts'
import type { Config } from '../config.ts'
import { type Database, type Db, type WireStep } from '../database/database.ts'
import { HttpError, invalidBody } from '../http/errors.ts'
import { modelRepository } from '../models/repository.ts'
import type { ModelRow } from '../models/schema.ts'
import { boundedArea, TooIntricate } from './bounded-area.ts'
import { visible } from '../database/visibility.ts'
import type { InferenceInput } from './schema.ts'

type TuneRow = Selectable<Database['tune']>
type ProcessorRow = Selectable<Database['inf_generic_processor']>

const NOT_USABLE = ['DEPLOY_IN_PROGRESS', 'DEPLOY_FAILED', 'DEPLOY_ERROR']
const MOST_POINTS = 5000
const MISSING =
  'Missing geoserver_push and model_input_data_spec in the model metadata. Please provide them in the request or update them in the model metadata.'

interface RunParts {
  readonly model: ModelRow
  readonly inference: unknown
  readonly split: SplitSpecs
  readonly layers: readonly unknown[]
  readonly post_processing: unknown
  readonly withProcessor: boolean
}

/** What decides on the steps that a plan adds by itself; values as they are recorded, not yet parsed. */
const planRequest = ({ split, ...parts }: RunParts): PlanRequest =>
  ({
    ...parts,
    ...split,
    inference_id: '',
    model: parts.model.display_name,
    server: modelOf(parts.model).server,
    post_processing: parts.post_processing ?? {},
    options: parts.withProcessor
      ? { processor: { script: '', file_name: '', processor_parameters: {} } }
      : {},
  }) as unknown as PlanRequest

/** The steps of a run as clients see them: in order, all numbered anew. */
const runSteps = (
  listed: readonly Record<string, unknown>[],
  withUrls: boolean,
  parts: RunParts,
): WireStep[] =>
  orderOf(
    listed.map((step) => ({
      process_id: String(step.process_id),
      step_number: Number(step.step_number),
    })),
    withUrls ? 'scene' : 'items',
    planRequest(parts),
  ).map((process_id, step_number) => ({
    status: step_number === 0 ? 'READY' : 'WAITING',
    process_id,
    step_number,
  }))

/** All that a run needs, gathered and checked. */
export interface Prepared {
  readonly model: ModelRow
  readonly processor: ProcessorRow | undefined
  readonly config: Record<string, unknown>
  /** That the request names; a place counts as one until it is planned. */
  readonly scenes: number
}

/** @throws HttpError 422 for an `s3://` URL of a bucket that is not the operator's */
export const checkBuckets = (
  buckets: readonly Bucket[],
  { spatial_domain }: InferenceInput,
): void => {
  for (const [n, item] of (spatial_domain.urls ?? []).entries()) {
    const named = typeof item === 'string' ? [[item]] : Object.entries(item).map((e) => e.reverse())
    for (const [url, ...modality] of named)
      if (url!.startsWith('s3://') && !bucketOf(url!, buckets))
        throw invalidBody(
          `${JSON.stringify(url!.slice(0, 100))} is in no bucket that this installation reads: upload the file through /v2/file-share, or give a (signed) https URL of it`,
          ...['spatial_domain', 'urls', n, ...modality],
        )
  }
}

const checkScenes = (most: number, { spatial_domain: { urls } }: InferenceInput): void => {
  if ((urls?.length ?? 0) > most)
    throw invalidBody(
      `${urls!.length} URLs, where one inference takes at most ${most} (MAX_SCENES): split the request`,
      'spatial_domain',
      'urls',
    )
}

const checkArea = async (
  limit: number | undefined,
  { spatial_domain: domain }: InferenceInput,
): Promise<void> => {
  if (limit === undefined || domain.urls?.length || domain.tiles?.length) return
  const points = JSON.stringify([domain.bbox, domain.polygons]).split(',').length / 2
  if (points > MOST_POINTS)
    throw invalidBody(
      `bbox and polygons have more than ${MOST_POINTS} points: simplify them`,
      'spatial_domain',
    )
  const area = await boundedArea(domain.bbox ?? [], domain.polygons ?? [], points).catch(
    (error) => {
      if (error instanceof HttpError) throw error
      const msg =
        error instanceof TooIntricate
          ? 'the edges of polygons and bbox cross too often to tell their area: simplify them, or send several requests'
          : 'polygons must be closed GeoJSON rings'
      throw invalidBody(msg, 'spatial_domain', 'polygons')
    },
  )
  if (area > limit)
    throw invalidBody(
      `Inference area (${area.toFixed(2)} km²) exceeds the maximum allowed area of ${limit.toFixed(2)} km². Please reduce the spatial extent of your inference request.`,
    )
}

const checkReady = (model: ModelRow, tuneId: string | null | undefined): void => {
  if (NOT_USABLE.includes(model.status))
    throw new HttpError(422, {
      msg: `Model in state: ${model.status} cannot be used for inference. Ensure it is successfully deployed first OR Deploy another instance of the fine-tuned model.`,
    })
  const sandbox = model.internal_name.includes('sandbox')
  if (!sandbox && !model.model_url && !model.inference)
    throw new HttpError(422, {
      msg: 'Cannot run inference > model missing model_url. Ensure model was deployed successfully.',
    })
  if (sandbox && !tuneId)
    throw new HttpError(422, {
      msg: '`fine_tuning_id` required to try out experimental model.',
    })
}

const first = <T>(...lists: (readonly T[] | null | undefined)[]): T[] =>
  [...(lists.find((list) => list?.length) ?? [])] as T[]

const connectorsOf = (
  input: InferenceInput,
  specs: Record<string, unknown>[],
  kept: Record<string, unknown>[] | undefined,
  rows: readonly CatalogueRow[],
): unknown[] => {
  const given = first<Record<string, unknown>>(input.data_connector_config, kept)
  if (given.length)
    return given.map((entry) => ({
      ...entry,
      collection: entry.collection ?? entry.collection_name,
    }))
  return specs.flatMap(({ connector, collection }) => {
    if (typeof connector !== 'string' || typeof collection !== 'string') return []
    const found = findRow(connector, collection, rows)?.source
    // With URLs the spec's source is only a description: an unknown one does no harm.
    if (found || input.spatial_domain.urls?.length) return found ? [found] : []
    throw new HttpError(422, {
      msg: `Unknown data source ${connector}/${collection}: see GET /v2/data-sources.`,
    })
  })
}

/** Options that say something: `{}` and `[]` are as good as none. */
export const filled = (options: unknown): Record<string, unknown> | undefined =>
  options && Object.keys(options).length ? (options as Record<string, unknown>) : undefined

/** @throws HttpError 404 where the user has no such processor, 422 where its file never arrived */
const processorOf = async (
  { db, config }: { db: Db; config: Config },
  user: string,
  id: string | null | undefined,
): Promise<ProcessorRow | undefined> => {
  if (!id) return undefined
  const row = await db
    .selectFrom('inf_generic_processor')
    .selectAll()
    .where('id', '=', id)
    .where('created_by', 'in', [user, config.DEFAULT_SYSTEM_USER])
    .where('deleted', '=', false)
    .executeTakeFirst()
  if (!row) throw new HttpError(404, 'Generic Processor component not found')
  if (row.status !== 'FINISHED')
    throw new HttpError(422, {
      msg: `Generic Processor in state: ${row.status} cannot be used for inference. Upload it again.`,
    })
  return row
}

/** A tune that the user may run: own, the system's, or shared through a group. */
export const findTune = (
  { db, config }: { db: Db; config: Config },
  user: string,
  id: string,
): Promise<TuneRow | undefined> =>
  db
    .selectFrom('tune')
    .selectAll()
    .where('id', '=', id)
    .where(visible(user, config.DEFAULT_SYSTEM_USER, 'tune', 'tune'))
    .executeTakeFirst()

/** @throws HttpError 422 for a tune whose export is not done, or has failed */
const checkFinished = (tune: TuneRow | undefined): void => {
  if (!tune || tune.status === 'Finished') return
  const why = tune.error
    ? `${tune.error.code}: ${tune.error.message}`
    : 'wait for its status Finished'
  throw new HttpError(422, {
    msg: `Tune in state: ${tune.status} cannot be used for inference: ${why}`,
  })
}

/** Checks in the recorded order and gathers the run's config. @see docs/wire.md#inference */
export const prepare = async (
  deps: { db: Db; config: Config },
  user: string,
  input: InferenceInput,
  missing = MISSING,
): Promise<Prepared> => {
  const { db, config } = deps
  const models = modelRepository(db, config)
  checkScenes(config.MAX_SCENES, input)
  checkBuckets(config.catalogue.credentials.buckets ?? [], input)
  await checkArea(config.MAX_INFERENCE_AREA_SQ_KM, input)
  const processor = await processorOf(deps, user, input.generic_processor_id)
  const model = input.model_id
    ? await models.usable(user, input.model_id)
    : await models.usableByName(user, input.model_display_name!)
  if (!model) throw new HttpError(404, 'Model not found. Ensure it exists before retrying.')
  checkReady(model, input.fine_tuning_id)
  const tune = input.fine_tuning_id ? await findTune(deps, user, input.fine_tuning_id) : undefined
  checkFinished(tune)
  const options = (tune?.train_options ?? {}) as Record<string, any>
  const specs = first<Record<string, unknown>>(
    input.model_input_data_spec,
    withoutNulls(model.model_input_data_spec) as Record<string, unknown>[] | null,
    withoutNulls(options.model_input_data_spec) as Record<string, unknown>[] | undefined,
  )
  const push = first<unknown>(
    input.geoserver_push,
    withoutNulls(model.geoserver_push) as unknown[] | null,
    withoutNulls(options.geoserver_push) as unknown[] | undefined,
  )
  const inference = tune?.inference ?? model.inference
  const listed = first<Record<string, unknown>>(input.pipeline_steps, model.pipeline_steps)
  // A model of one's own weights that is published nowhere needs no layers (docs/models.md).
  const layered = !inference || listed.some((step) => step.process_id === 'push-to-geoserver')
  if (specs.length === 0 || (layered && push.length === 0)) throw new HttpError(400, missing)
  const data_connector_config = connectorsOf(
    input,
    specs,
    options.data_connector_config,
    config.catalogue.rows,
  )
  const post_processing =
    input.post_processing ??
    filled(model.postprocessing_options) ??
    filled(options.post_processing) ??
    {}
  const steps = runSteps(listed, !!input.spatial_domain.urls?.length, {
    model,
    inference,
    split: splitSpecs(
      specs as InputSpec[],
      { inference, server: modelOf(model).server },
      input.spatial_domain.urls,
    ),
    layers: push,
    post_processing,
    withProcessor: processor !== undefined,
  })
  if (steps.length === 0)
    throw new HttpError(422, { msg: 'pipeline_steps is empty in the request and in the model.' })
  if (steps.some((step) => step.process_id === 'terratorch-inference') && !inference)
    throw new HttpError(422, {
      msg: `Tune ${input.fine_tuning_id} not found: see GET /v2/tunes for those that you can run.`,
    })
  const { generic_processor: _ignored, name: _name, ...rest } = input as Record<string, unknown>
  return {
    model,
    processor,
    scenes: Math.max(1, input.spatial_domain.urls?.length ?? 0),
    config: {
      ...rest,
      maxcc: input.maxcc ?? 100,
      model_input_data_spec: specs,
      geoserver_push: push,
      data_connector_config,
      pipeline_steps: steps,
      post_processing,
      model_internal_name: model.internal_name,
      model_name: model.display_name,
      model_url: model.model_url,
      inference,
      ...(processor
        ? {
            generic_processor: {
              id: processor.id,
              name: processor.name,
              description: processor.description,
              processor_parameters: processor.processor_parameters,
              processor_file_path: processor.processor_file_path,
              status: processor.status,
            },
          }
        : {}),
    },
  }
}
