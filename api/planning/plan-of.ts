import type { Member } from '../../pipelines/fan-out.ts'
import type { ModelMetadata } from '../../pipelines/model.ts'
import { type Planned, type PlannerCatalogue, planRequest } from '../../pipelines/planner.ts'
import { readRunConfig } from '../../pipelines/wire.ts'
import type { Scene } from '../../steps/plan-context.ts'
import { filesOf, MODEL_FILES } from '../../steps/weights.ts'
import type { Config } from '../config.ts'
import { modelFileKey } from '../models/weights.ts'
import { processorKey } from '../processors/routes.ts'
import type { Store } from '../storage/store.ts'
import { geoserverOf } from './geoserver.ts'
import { ownFiles } from './own-files.ts'

interface RunProcessor {
  readonly processor_file_path: string
  readonly processor_parameters: Record<string, never> | null
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

/** Files of a model that our store keeps are given as files, as `--weights` on a command line. */
const withKeptFiles = async (store: Store, model: ModelMetadata) => {
  const inference: Record<string, unknown> = { ...model.inference }
  const kept: Record<string, string> = {}
  for (const [key, from] of filesOf(model.inference)) {
    if (!('url' in from)) continue
    const stored = modelFileKey(key, from.sha256)
    if ((await store.size(stored)) === undefined) continue
    inference[key] = { file: MODEL_FILES[key] }
    kept[MODEL_FILES[key]] = stored
  }
  return Object.keys(kept).length ? { model: { ...model, inference }, kept } : { model }
}

export interface PlanDeps {
  readonly config: Config
  readonly store: Store
  readonly catalogue: PlannerCatalogue
  /** Lists a zip; `url` is where our own store serves the given file. A dry run has none */
  readonly list?: (
    scene: Scene,
    url: string | undefined,
    inferenceId: string,
  ) => Promise<readonly Member[]>
}
/** A plan, and what of it lies in our own store. */
export interface StoredPlan extends Planned {
  /** For each task the given files and their URLs in our own store; read without a network */
  readonly fetches: readonly (Readonly<Record<string, string>> | undefined)[]
  /** Files of the model, by their name below models/, and their keys in our own store */
  readonly kept?: Readonly<Record<string, string>>
}

/** Where the operator has better land polygons and permanent water than geodag's own. */
const masksOf = ({ LAND_POLYGONS, PERMANENT_WATER, PERMANENT_WATER_VALUES }: Config) => ({
  ...(LAND_POLYGONS ? { landPolygons: LAND_POLYGONS } : {}),
  ...(PERMANENT_WATER ? { permanentWater: PERMANENT_WATER } : {}),
  ...(PERMANENT_WATER_VALUES.length ? { permanentWaterValues: PERMANENT_WATER_VALUES } : {}),
})

/**
 * The plan of an inference's recorded config: the same for the planning task and for a dry run.
 *
 * @throws PlanError where the request cannot be run, StoreError, ConnectorError
 */
export const planOf = async (
  { config, store, catalogue, list }: PlanDeps,
  recorded: Record<string, unknown>,
  inferenceId: string,
): Promise<StoredPlan> => {
  const { model: read, request } = readRunConfig(recorded)
  const { model, kept } = await withKeptFiles(store, read)
  const processor = await readProcessor(
    store,
    recorded.generic_processor as RunProcessor | undefined,
  )
  const { url: geoserverUrl } = geoserverOf(config)
  const { scenes, fetches } = ownFiles(
    { store, buckets: config.catalogue.credentials.buckets ?? [] },
    request.spatial_domain.urls ?? [],
  )
  const asked = { ...request, spatial_domain: { ...request.spatial_domain, urls: scenes } }
  const planned = await planRequest(asked, model, catalogue, {
    inferenceId,
    ...(list
      ? {
          list: (scene: Scene, origin: number | undefined, id: string) =>
            list(scene, fetches[origin ?? -1]?.[scene.file ?? ''], id),
        }
      : {}),
    allowPrivateHosts: config.ALLOW_PRIVATE_HOSTS,
    ...(config.GPU ? { gpu: true } : {}),
    modelServers: Object.keys(config.MODEL_SERVERS),
    ...(processor ? { processor } : {}),
    ...(geoserverUrl ? { geoserverUrl } : {}),
    masks: masksOf(config),
  })
  return { ...planned, fetches, ...(kept ? { kept } : {}) }
}
