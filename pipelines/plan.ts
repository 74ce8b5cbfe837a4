import { createHash } from 'node:crypto'
import { ZodError } from 'zod'
import type { Stage } from '../steps/contract.ts'
import { contractOf, stepNamed, type StepName } from '../steps/contracts.ts'
import { splitSpecs } from '../steps/mask-spec.ts'
import type {
  PlanContext,
  PlanOptions,
  PlanRequest,
  Processor,
  Source,
} from '../steps/plan-context.ts'
import { invalid } from './errors.ts'
import { modelCard } from './mlm.ts'
import type { ModelMetadata } from './model.ts'
import { modelOf, runsElsewhere, runsModel } from './runs-by.ts'
import { checkOrder, orderOf } from './order.ts'
import type { InferenceRequest } from './request.ts'
import { isByPlace, labelOf, type PlannedSource, scenesOf } from './scenes.ts'

export type { Processor }

export interface PlannedStep {
  readonly process_id: StepName
  readonly step_number: number
  readonly parameters: unknown
}
export interface PlannedTask {
  readonly task_id: string
  /** What the pixels come from, for people: a URL, a file name, or collection, day and box */
  readonly source: string
  /** Names of the given files that the task takes in */
  readonly files: readonly string[]
  readonly date: string | null
  /** Place in the request's list of URLs */
  readonly origin?: number
  readonly steps: readonly PlannedStep[]
}
/** What would run, before anything runs. */
export interface Plan {
  readonly inference_id: string
  readonly model: string
  readonly tasks: readonly PlannedTask[]
}

export interface PlanInferenceOptions extends PlanOptions {
  readonly inferenceId?: string
  /** Names of the files given beside the request; each is a task when the request has no URL. */
  readonly files?: readonly string[]
  /** Where a search found the pixels: tasks beside those of the URLs and files */
  readonly found?: readonly PlannedSource[]
}

/** A UUID that the same request always gets, so that a repeated call is the same work. */
export const inferenceIdOf = (...parts: unknown[]): string => {
  const hex = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** What all tasks share: the request's own values before the model's. */
export const planRequestOf = (
  request: InferenceRequest,
  model: ModelMetadata,
  inference_id: string,
  options: PlanOptions,
): PlanRequest => {
  const by = modelOf(model)
  const specs = request.model_input_data_spec ?? model.model_input_data_spec
  const split = splitSpecs(specs, by, request.spatial_domain.urls)
  return {
    inference_id,
    model: model.display_name,
    // Of a model that runs at a server nobody here knows the weights.
    model_card: runsElsewhere(by)
      ? null
      : modelCard({ ...model, model_input_data_spec: split.input_spec as typeof specs }),
    ...by,
    // A model that only publishes is run by nothing, whatever its address.
    ...(model.pipeline_steps.some(({ process_id }) => runsModel(process_id))
      ? {}
      : { server: null }),
    ...split,
    layers: request.geoserver_push ?? model.geoserver_push,
    post_processing: request.post_processing ?? model.postprocessing_options,
    options,
  }
}

/** Step names of a model in order, for a task with this kind of source. */
export const stepOrder = (
  model: ModelMetadata,
  kind: Source['kind'],
  request: PlanRequest,
): StepName[] => orderOf(model.pipeline_steps, kind, request).map((name) => stepNamed(name)!)

const planStep = (process_id: StepName, step_number: number, context: PlanContext): PlannedStep => {
  const contract = contractOf(process_id)
  try {
    const parameters = contract.parameters.parse(contract.plan(context))
    return { process_id, step_number, parameters }
  } catch (error) {
    // A step's own plan reads further fields of a spec, and says what is wrong with them in the same way.
    if (error instanceof ZodError) throw invalid('plan.invalid', process_id, error)
    throw error
  }
}

const filesOf = (source: Source): string[] =>
  source.kind === 'scene' ? source.scenes.flatMap(({ file }) => (file ? [file] : [])) : []

/** Bands of a catalogue task lie in the file in the order of the spec, whatever their index says. */
const inFileOrder = (specs: PlanRequest['input_spec']): PlanRequest['input_spec'] =>
  specs.map((spec) => ({ ...spec, bands: spec.bands.map((band, index) => ({ ...band, index })) }))

/** Stages that leave the pixels as they are. */
const ENDS: ReadonlySet<Stage> = new Set(['input', 'publish'])

/** One task a source, in the order given; every step's parameters already passed its contract. */
export const planTasks = (
  shared: PlanRequest,
  model: ModelMetadata,
  sources: readonly PlannedSource[],
  first = 0,
  task_count = first + sources.length,
): PlannedTask[] => {
  const orders = new Map<Source['kind'], StepName[]>()
  const orderFor = (kind: Source['kind']): StepName[] => {
    const known = orders.get(kind)
    if (known) return known
    const order = stepOrder(model, kind, shared)
    checkOrder(order)
    orders.set(kind, order)
    return order
  }
  return sources.map(({ source, date, origin }, n): PlannedTask => {
    const input_spec = source.kind === 'items' ? inFileOrder(shared.input_spec) : shared.input_spec
    const task_id = `${shared.inference_id}-task_${first + n}`
    const order = orderFor(source.kind)
    const as_delivered = order.every((name) => ENDS.has(contractOf(name).stage))
    const context: PlanContext = {
      ...shared,
      ...{ input_spec, task_id, source, date, task_count, as_delivered },
    }
    return {
      task_id,
      source: labelOf(source),
      files: filesOf(source),
      date,
      ...(origin === undefined ? {} : { origin }),
      steps: order.map((name, number) => planStep(name, number, context)),
    }
  })
}

/** What a plan is made from: all that the tasks share, and a source for each. */
export const sourcesOf = (
  request: InferenceRequest,
  model: ModelMetadata,
  options: PlanInferenceOptions,
): { shared: PlanRequest; sources: readonly PlannedSource[] } => {
  const { inferenceId, files = [], found = [], ...own } = options
  const inference_id =
    inferenceId ?? inferenceIdOf(request, model, files, options.processor ?? null)
  return {
    shared: planRequestOf(request, model, inference_id, own),
    sources: [...scenesOf(request, files, isByPlace(request)), ...found],
  }
}

/** (request, model) to tasks and steps; throws a PlanError for a request that cannot be planned. */
export const planInference = (
  request: InferenceRequest,
  model: ModelMetadata,
  options: PlanInferenceOptions = {},
): Plan => {
  const { shared, sources } = sourcesOf(request, model, options)
  const tasks = planTasks(shared, model, sources)
  return { inference_id: shared.inference_id, model: model.display_name, tasks }
}
