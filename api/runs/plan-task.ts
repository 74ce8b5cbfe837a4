import { PlanError } from '../../pipelines/errors.ts'
import type { ModelMetadata } from '../../pipelines/model.ts'
import { planInference, type PlannedTask } from '../../pipelines/plan.ts'
import { readRunConfig } from '../../pipelines/wire.ts'
import { weightsOf } from '../../steps/weights.ts'
import type { Config } from '../config.ts'
import { type Db, notify, type WireStep } from '../database/database.ts'
import { weightsKey } from '../models/weights.ts'
import { processorKey } from '../processors/routes.ts'
import type { Store } from '../storage/store.ts'
import type { Recorder, TaskRow } from './record.ts'

/** A planned task as its row keeps it. */
export interface TaskConfig {
  readonly task: PlannedTask
  readonly model: string
  /** Given file to its URL in our own store, read without a network */
  readonly fetch?: Readonly<Record<string, string>>
  /** Key of the model's weights in our own store. */
  readonly weights?: string
}

interface RunProcessor {
  processor_file_path: string
  processor_parameters: Record<string, never> | null
}

const priorityOf = (tasks: number): number => (tasks <= 5 ? 4 : tasks <= 15 ? 5 : 6)

const fileNameOf = (url: string): string =>
  (new URL(url).pathname.split('/').at(-1) || 'scene').replace(/%[0-9A-F]{2}|[^\w.-]/gi, '_')

/** The address of a GeoServer as a step reaches it: this machine's own goes by a service. */
export const geoserverOf = (config: Config): { url?: string; local?: number } => {
  if (!config.GEOSERVER_URL) return {}
  const url = new URL(config.GEOSERVER_URL)
  if (!['localhost', '127.0.0.1', '[::1]'].includes(url.hostname))
    return { url: config.GEOSERVER_URL }
  const local = Number(url.port || 80)
  return { url: `http://geoserver:${local}${url.pathname.replace(/\/$/, '')}`, local }
}

const readProcessor = async (store: Store, found: RunProcessor | undefined) => {
  if (!found) return undefined
  const { processor_file_path: path, processor_parameters } = found
  return {
    script: (await store.get(processorKey(path))).toString(),
    file_name: path.split('/').at(-1)!,
    processor_parameters: processor_parameters ?? {},
  }
}

/** A model whose weights our store keeps is given them as a file, as `--weights` on a command line. */
const withKeptWeights = async (store: Store, model: ModelMetadata) => {
  const from = weightsOf(model.inference)
  if (!from || !('url' in from)) return { model }
  const weights = weightsKey(from.sha256)
  if ((await store.size(weights)) === undefined) return { model }
  const inference = { ...model.inference!, weights: { file: 'weights.onnx' } }
  return { model: { ...model, inference }, weights }
}

type UrlItem = string | Readonly<Record<string, string>>
type Fetches = Record<string, string>

/** One URL: a file name where our own store serves it. @throws PlanError `request.url` */
const ownFile = (store: Store, url: string, where: string, fetches: Fetches): string => {
  // On a server a name is no file: the command line's local files are not meant here.
  if (!store.owns(url)) {
    if (/^https?:\/\//i.test(url)) return url
    throw new PlanError('request.url', `${where}: ${url.slice(0, 200)} is not an http(s) URL`)
  }
  const name = fileNameOf(url)
  const file = name in fetches ? `${Object.keys(fetches).length}_${name}` : name
  fetches[file] = url
  return file
}

/** The scenes of a request, and for each what is fetched from our own store. */
const ownFiles = (store: Store, urls: readonly UrlItem[]) => {
  const fetches: (Fetches | undefined)[] = []
  const scenes = urls.map((item, n): UrlItem => {
    const own: Fetches = {}
    const where = `spatial_domain.urls.${n}`
    const scene =
      typeof item === 'string'
        ? ownFile(store, item, where, own)
        : Object.fromEntries(
            Object.entries(item).map(([modality, url]) => [
              modality,
              ownFile(store, url, `${where}.${modality}`, own),
            ]),
          )
    fetches[n] = Object.keys(own).length ? own : undefined
    return scene
  })
  return { scenes, fetches }
}

/**
 * The planning task: tasks for every scene, written with its own end in one transaction.
 *
 * @throws PlanError where the request cannot be run
 */
export const planTask = async (
  deps: { db: Db; config: Config; store: Store; recorder: Recorder },
  planning: TaskRow,
  log: (text: string) => Promise<void>,
): Promise<void> => {
  const { db, config, store, recorder } = deps
  const { inference_config } = await db
    .selectFrom('inf_inference')
    .select('inference_config')
    .where('id', '=', planning.inference_id)
    .executeTakeFirstOrThrow()
  const { model: read, request } = readRunConfig(inference_config)
  const { model, weights } = await withKeptWeights(store, read)
  const { bbox, polygons, tiles, urls } = request.spatial_domain
  if (!urls?.length && (bbox?.length || polygons?.length || tiles?.length))
    throw new PlanError(
      'plan.no_connector',
      'no data connector searches by bbox, polygons or tiles yet: give the scenes by spatial_domain.urls (upload them through /v2/file-share)',
    )
  const processor = await readProcessor(
    store,
    inference_config.generic_processor as RunProcessor | undefined,
  )
  const { url: geoserverUrl } = geoserverOf(config)
  const { scenes, fetches } = ownFiles(store, urls!)
  const plan = planInference({ ...request, spatial_domain: { urls: scenes } }, model, {
    inferenceId: planning.inference_id,
    allowPrivateHosts: config.ALLOW_PRIVATE_HOSTS,
    ...(processor ? { processor } : {}),
    ...(geoserverUrl ? { geoserverUrl } : {}),
  })
  const names = inference_config.pipeline_steps as WireStep[]
  const rows = plan.tasks.map((task, n) => {
    const steps: WireStep[] = task.steps.map(({ step_number }) => ({
      status: step_number === 0 ? 'READY' : 'WAITING',
      process_id: names[step_number]!.process_id,
      step_number,
    }))
    const own: TaskConfig = {
      task,
      model: plan.model,
      ...(fetches[n] ? { fetch: fetches[n] } : {}),
      ...(weights ? { weights } : {}),
    }
    return {
      task_id: task.task_id,
      inference_id: planning.inference_id,
      pipeline_steps: JSON.stringify(steps),
      config: JSON.stringify(own),
      inference_folder: planning.inference_id,
      priority: priorityOf(plan.tasks.length),
      runner: null,
    }
  })
  await log(plan.tasks.map((task) => `${task.task_id}: ${task.source}`.split('?')[0]).join('\n'))
  await recorder.finished(
    planning,
    0,
    {},
    {
      then: async (trx) => {
        for (let from = 0; from < rows.length; from += 500)
          await trx
            .insertInto('inf_task')
            .values(rows.slice(from, from + 500))
            .execute()
        await notify(trx, 'geodag_task', planning.inference_id)
      },
    },
  )
}
