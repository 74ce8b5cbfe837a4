import { createHash } from 'node:crypto'
import { z } from 'zod'
import { contracts, type StepName } from '../steps/contracts.ts'
import { invalid, PlanError } from './errors.ts'
import type { ModelMetadata } from './model.ts'
import type { InferenceRequest } from './request.ts'

export interface PlannedStep {
  readonly process_id: StepName
  readonly step_number: number
  readonly parameters: unknown
}
export interface PlannedTask {
  readonly task_id: string
  readonly source: string
  readonly date: string | null
  readonly steps: readonly PlannedStep[]
}
/** What would run, before anything runs. */
export interface Plan {
  readonly inference_id: string
  readonly model: string
  readonly tasks: readonly PlannedTask[]
}

/** A user's script and what it is called with. */
export interface Processor {
  readonly script: string
  readonly file_name: string
  readonly processor_parameters: Record<string, z.core.util.JSONType>
  /** @see steps/generic-python-processor/contract.ts */
  readonly limits?: Record<string, z.core.util.JSONType>
}
export interface PlanOptions {
  readonly inferenceId?: string
  /** Names of the files given beside the request; each is a task when the request has no URL. */
  readonly files?: readonly string[]
  readonly processor?: Processor
  readonly geoserverUrl?: string
  readonly allowPrivateHosts?: boolean
}

const MASK_BANDS: Record<string, 'sentinel2_scl' | 'hls_fmask'> = {
  scl: 'sentinel2_scl',
  fmask: 'hls_fmask',
  qa: 'hls_fmask',
}

/** A UUID that the same request always gets, so that a repeated call is the same work. */
export const inferenceIdOf = (...parts: unknown[]): string => {
  const hex = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** Step names in order: the model's, with the processor before postprocess (contract.md 1.3). */
export const stepOrder = (model: ModelMetadata, withProcessor: boolean): StepName[] => {
  const names: StepName[] = [...model.pipeline_steps]
    .sort((a, b) => a.step_number - b.step_number)
    .map((step): StepName => step.process_id as StepName)
    .filter((name): name is StepName => name !== 'generic-python-processor')
  if (!withProcessor) return names
  const at = ['postprocess-generic', 'push-to-geoserver'].map((name) =>
    names.indexOf(name as StepName),
  )
  names.splice(at.find((i) => i >= 0) ?? names.length, 0, 'generic-python-processor')
  return names
}

const colorsOf = (model: ModelMetadata, request: InferenceRequest) => {
  const layer = (request.geoserver_push ?? model.geoserver_push).find((entry) =>
    entry.filepath_key.startsWith('model_output'),
  )
  const entries = z
    .object({
      segmentation: z.array(
        z.object({
          color: z.string().regex(/^#[0-9a-f]{6}$/i),
          opacity: z.coerce.number().default(0),
          quantity: z.coerce.number(),
        }),
      ),
    })
    .safeParse(layer?.geoserver_style)
  if (!entries.success) return {}
  const byte = (color: string, at: number) => parseInt(color.slice(at, at + 2), 16)
  return Object.fromEntries(
    entries.data.segmentation.map(({ color, opacity, quantity }) => [
      String(quantity),
      { rgb: [byte(color, 1), byte(color, 3), byte(color, 5)], opacity },
    ]),
  )
}

/** Switches that the seed has and no step here does yet: asked for, they are refused, not ignored. */
const NOT_BUILT = ['ocean_masking', 'regularization', 'mask_from_url'] as const

/** @throws PlanError `request.post_processing` for a switch that no step does */
const masksOf = (model: ModelMetadata, request: InferenceRequest) => {
  const post = request.post_processing ?? model.postprocessing_options
  const asked = NOT_BUILT.find((name) => post[name])
  if (asked)
    throw new PlanError(
      'request.post_processing',
      `post_processing.${asked} is not built yet: leave it out or give false`,
    )
  return {
    cloud_masking: post.cloud_masking ?? false,
    snow_ice_masking: post.snow_ice_masking ?? false,
    permanent_water_masking: post.permanent_water_masking ?? false,
  }
}

type Source = { url: string } | { file: string }

/** What each step of one task is called with, before its contract has looked at it. */
const parametersOf = (
  inferenceId: string,
  model: ModelMetadata,
  request: InferenceRequest,
  options: PlanOptions,
  source: Source,
  date: string | null,
): Record<StepName, unknown> => {
  const spec = (request.model_input_data_spec ?? model.model_input_data_spec)[0]!
  const maskBand = spec.bands.find((band) => MASK_BANDS[band.band_name.toLowerCase()])
  const rgb = (['R', 'G', 'B'] as const).map((c) => spec.bands.find((b) => b.RGB_band === c)?.index)
  return {
    'url-connector': {
      ...source,
      date,
      bands: spec.bands.map(({ index, band_name, scaling_factor }) => ({
        index,
        band_name,
        scaling_factor,
      })),
      require_crs: options.geoserverUrl !== undefined,
      allow_private_hosts: options.allowPrivateHosts ?? false,
    },
    'onnx-inference': model.inference && {
      ...model.inference,
      allow_private_hosts: options.allowPrivateHosts ?? false,
    },
    'generic-python-processor': options.processor,
    'postprocess-generic': {
      rgb: rgb.every((index) => index !== undefined) ? rgb : null,
      masks: masksOf(model, request),
      mask_band: maskBand
        ? { index: maskBand.index, encoding: MASK_BANDS[maskBand.band_name.toLowerCase()] }
        : null,
      colors: colorsOf(model, request),
    },
    'push-to-geoserver': {
      url: options.geoserverUrl ?? null,
      layer_prefix: inferenceId,
      layers: request.geoserver_push ?? model.geoserver_push,
      ...(date === null ? {} : { date }),
    },
  }
}

const oneModality = (item: string | Record<string, string>): string => {
  if (typeof item === 'string') return item
  const [url, ...more] = Object.values(item)
  if (url !== undefined && more.length === 0) return url
  throw new PlanError(
    'request.modalities',
    'spatial_domain.urls: a model of several modalities cannot be run yet; give one URL an item',
  )
}

/** The scenes that a request names; a bbox alone needs a data connector, which is not built yet. */
const sourcesOf = (request: InferenceRequest, files: readonly string[]): Source[] => {
  const urls = (request.spatial_domain.urls ?? []).map(oneModality)
  const sources = urls.map((url): Source => (/^[a-z]+:\/\//i.test(url) ? { url } : { file: url }))
  if (sources.length) return sources
  if (files.length) return files.map((file) => ({ file }))
  throw new PlanError(
    'request.no_scene',
    'spatial_domain.urls is empty and no file was given: name a scene by --scene, --inputs or a URL',
  )
}

/** @throws PlanError `plan.order` where a step needs what no step before it makes */
const checkOrder = (order: readonly StepName[]): void => {
  const made = new Set<string>()
  for (const name of order) {
    const missing = contracts[name].consumes.find((key) => !made.has(key))
    if (missing)
      throw new PlanError(
        'plan.order',
        `pipeline_steps: ${name} needs ${missing}, which no step before it makes; the order is ${order.join(', ')}`,
      )
    for (const key of contracts[name].produces) made.add(key)
  }
}

/** @throws PlanError `model.invalid` where mean or std is not one number a band */
const checkStatistics = (model: ModelMetadata, request: InferenceRequest): void => {
  const { bands } = (request.model_input_data_spec ?? model.model_input_data_spec)[0]!
  for (const name of ['mean', 'std'] as const) {
    const given = model.inference?.[name].length ?? 0
    if (given && given !== bands.length)
      throw new PlanError(
        'model.invalid',
        `inference.${name}: ${given} values for ${bands.length} bands of model_input_data_spec: give one a band`,
      )
  }
}

/** (request, model) to tasks and steps; every step's parameters already passed its contract. */
export const planInference = (
  request: InferenceRequest,
  model: ModelMetadata,
  options: PlanOptions = {},
): Plan => {
  const id =
    options.inferenceId ?? inferenceIdOf(request, model, options.files, options.processor ?? null)
  const order = stepOrder(model, options.processor !== undefined)
  checkOrder(order)
  checkStatistics(model, request)
  const dates = request.temporal_domain
  const tasks = sourcesOf(request, options.files ?? []).map((source, n): PlannedTask => {
    const date = /^\d{4}-\d{2}-\d{2}$/.test(dates[n] ?? '') ? dates[n]! : null
    const parameters = parametersOf(id, model, request, options, source, date)
    return {
      task_id: `${id}-task_${n}`,
      source: 'url' in source ? source.url : source.file,
      date,
      steps: order.map((process_id, step_number) => {
        const parsed = contracts[process_id].parameters.safeParse(parameters[process_id])
        if (!parsed.success) throw invalid('plan.invalid', process_id, parsed.error)
        return { process_id, step_number, parameters: parsed.data }
      }),
    }
  })
  return { inference_id: id, model: model.display_name, tasks }
}
