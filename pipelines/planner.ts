import type { CatalogueRow } from '../connectors/row.ts'
import { classBandOf } from '../steps/bands.ts'
import { splitSpecs } from '../steps/mask-spec.ts'
import { contractOf } from '../steps/contracts.ts'
import type { Scene } from '../steps/plan-context.ts'
import { breathe } from './breathe.ts'
import { PlanError } from './errors.ts'
import { fanOut, type Member } from './fan-out.ts'
import type { ModelMetadata } from './model.ts'
import {
  type Plan,
  type PlanInferenceOptions,
  type PlannedTask,
  planTasks,
  sourcesOf,
} from './plan.ts'
import type { InputSpec } from '../steps/plan-context.ts'
import type { InferenceRequest } from './request.ts'
import { modelOf } from './runs-by.ts'
import { isByPlace } from './scenes.ts'
import type { Catalogue, NoData } from './search/catalogue.ts'
import { type Estimate, estimateOf } from './search/estimate.ts'
import { modalitiesOf } from './search/modalities.ts'
import { findTasks } from './search/plan-area.ts'

/** The catalogue, and which of its rows a model names. */
export interface PlannerCatalogue extends Catalogue {
  find(connector: string, collection: string): CatalogueRow | undefined
}
/** Scenes in a zip, listed by an engine; `origin` is the place in the request's list of URLs. */
export type ListZip = (
  scene: Scene,
  origin: number | undefined,
  inferenceId: string,
) => Promise<readonly Member[]>
export interface PlannerOptions extends PlanInferenceOptions {
  /** Without it a zip of several scenes stays one task, which says so */
  readonly list?: ListZip
}
/** A frozen plan: what runs, and what was found on the way to it. */
export interface Planned {
  readonly plan: Plan
  readonly missing: readonly NoData[]
  readonly warnings: readonly string[]
  /** null for a plan of given scenes alone */
  readonly estimate: Estimate | null
}

interface RowRead {
  readonly row: CatalogueRow
  readonly hrefs: readonly string[]
}

/** What the steps of tasks read of catalogues, each collection once. */
export const readsOf = (
  tasks: readonly Pick<PlannedTask, 'steps'>[],
  find: PlannerCatalogue['find'],
): RowRead[] => {
  const hrefs = new Map<string, Set<string>>()
  const steps = tasks.flatMap((task) => task.steps)
  for (const { process_id, parameters } of steps)
    for (const read of contractOf(process_id).reads?.(parameters) ?? []) {
      const known = hrefs.get(read.collection) ?? new Set()
      for (const href of read.hrefs) known.add(href)
      hrefs.set(read.collection, known)
    }
  return [...hrefs].flatMap(([collection, all]) => {
    const at = collection.indexOf('/')
    const row = find(collection.slice(0, at), collection.slice(at + 1))
    return row ? [{ row, hrefs: [...all] }] : []
  })
}

/** GEOStudio's number for it: "No data available for location/date." */
export const NO_DATA = 1001

/** One place without data, as a line for people. */
export const missingText = ({ field, reason, nearest }: NoData): string =>
  `${field}: ${reason}${nearest.length ? `; nearest days with data: ${nearest.join(', ')}` : ''}`

// A server plans 10,000 tasks beside its other work: it looks at the rest of it now and then.
const CHUNK = 20

const planAll = async (
  request: InferenceRequest,
  model: ModelMetadata,
  { list, ...options }: PlannerOptions,
  noted: (text: string) => void,
): Promise<Plan> => {
  const { shared, sources: given } = sourcesOf(request, model, options)
  const failed = (scene: Scene, error: unknown) => {
    const { message, stderr } = error as Error & { stderr?: string }
    const name = (scene.file ?? scene.url ?? '').split('?')[0]
    noted(`${name}: the zip was not listed: ${(stderr?.trim() || message).slice(0, 300)}`)
  }
  const sources = list
    ? await fanOut(given, (scene, origin) => list(scene, origin, shared.inference_id), failed)
    : given
  const tasks: PlannedTask[] = []
  for (let from = 0; from < sources.length; from += CHUNK) {
    for (const task of planTasks(
      shared,
      model,
      sources.slice(from, from + CHUNK),
      from,
      sources.length,
    ))
      tasks.push(task)
    await breathe()
  }
  return { inference_id: shared.inference_id, model: model.display_name, tasks }
}

const MASKS = ['cloud_masking', 'snow_ice_masking', 'permanent_water_masking']

const bandsOf = (spec: InputSpec) => ({ spec, bands: spec.bands.map(({ band_name }) => band_name) })

/** The collection's class band beside the model's own, where a mask is asked for and needs it. */
const withMaskBand = (
  spec: InputSpec,
  row: CatalogueRow,
  post: Readonly<Record<string, unknown>>,
): InputSpec => {
  const wanted = row.source.cloud_masking?.band.toLowerCase()
  if (!wanted || !MASKS.some((name) => post[name]) || classBandOf(spec)) return spec
  const band = row.source.bands.find(({ band_name, alt_names = [] }) =>
    [band_name, ...alt_names].some((name) => name.toLowerCase() === wanted),
  )
  if (!band) return spec
  const { band_name } = band
  const index = spec.bands.length
  return {
    ...spec,
    bands: [...spec.bands, { index, band_name, RGB_band: null, scaling_factor: 1 }],
  }
}

/**
 * A request and a model to tasks: the given scenes, then what catalogues have for its places.
 *
 * @throws PlanError `plan.no_data` where no task is left, `request.*` and `plan.*` for what is wrong
 */
export const planRequest = async (
  request: InferenceRequest,
  model: ModelMetadata,
  catalogue: PlannerCatalogue,
  options: PlannerOptions = {},
): Promise<Planned> => {
  const notes: string[] = []
  const noted = (text: string) => void notes.push(text)
  if (!isByPlace(request))
    return {
      plan: await planAll(request, model, options, noted),
      ...{ missing: [], warnings: notes, estimate: null },
    }
  const own = request.model_input_data_spec ?? model.model_input_data_spec
  const post = request.post_processing ?? model.postprocessing_options
  const { mask_spec } = splitSpecs(own, modelOf(model))
  if (mask_spec)
    throw new PlanError(
      'request.modalities',
      `model_input_data_spec: ${mask_spec.modality_tag} is a class band for masks: by place, name it among the bands of its collection's own entry, or ask for a mask, and it is read beside them`,
    )
  const asked = modalitiesOf(own, request, catalogue.find)
  const specs = own.map((spec, n) => (n === 0 ? withMaskBand(spec, asked[n]!.row, post) : spec))
  const modalities = asked.map((modality, n) => ({ ...modality, ...bandsOf(specs[n]!) }))
  const found = await findTasks(request, modalities, catalogue)
  const asRead = { ...request, model_input_data_spec: specs as typeof own }
  const plan = await planAll(asRead, model, { ...options, found: found.tasks }, noted)
  if (plan.tasks.length === 0)
    throw new PlanError('plan.no_data', found.missing.map(missingText).join('\n'))
  const { missing } = found
  const warnings = [...found.warnings, ...notes]
  return { plan, missing, warnings, estimate: await estimateOf(found, modalities) }
}
