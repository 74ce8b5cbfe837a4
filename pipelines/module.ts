import type { Client, Directory, File, Secret, Service } from '@dagger.io/dagger'
import { z } from 'zod'
import type { PlanOptions } from '../steps/plan-context.ts'
import { contracts, stepNamed, type StepName, stepNames } from '../steps/contracts.ts'
import { decodeScript, scriptName } from '../steps/generic-python-processor/script.ts'
import type { Scene } from '../steps/plan-context.ts'
import { registry, scenesInZip } from '../steps/registry.ts'
import { exported } from '../steps/terratorch-inference/step.ts'
import { filesOf, MODEL_FILES, type ModelFileKey } from '../steps/weights.ts'
import type { Catalogues } from './catalogues.ts'
import { compose } from './compose.ts'
import { invalid, PlanError } from './errors.ts'
import { summarize } from './manifest.ts'
import { modelToMlm } from './mlm-write.ts'
import { readModelText } from './mlm-read.ts'
import { type ModelMetadata, modelOfConfig, parseModel } from './model.ts'
import { moduleCatalogue } from './module-catalogue.ts'
import type { Processor } from './plan.ts'
import { missingText, type Planned, planRequest } from './planner.ts'
import { readRequest } from './module-request.ts'
import type { InferenceRequest } from './request.ts'
import { stepOf } from './wire.ts'

type Maybe<T> = { readonly [K in keyof T]?: T[K] | undefined }

/** The arguments of `run-inference` and `plan`, as the Dagger surface takes them. */
export type InferenceArguments = Maybe<{
  model: string
  modelFile: File
  weights: File
  config: File
  checkpoint: File
  request: File
  scene: File
  inputs: Directory
  datetime: string
  bbox: string
  polygon: File
  tile: string
  maxcc: number
  minCoverage: string
  onePer: string
  clip: boolean
  catalogues: File
  credentials: Secret
  allowPrivateHosts: boolean
  gpu: boolean
  processor: File
  processorParameters: string
  processorLimits: string
  landPolygons: string
  permanentWater: string
  geoserverUrl: string
  geoserverUsername: Secret
  geoserverPassword: Secret
  geoserverCa: Secret
  inferenceId: string
  geoserver: Service
}>

const jsonObject = (text: string, code: string, name: string, such = '{"threshold": 80}') => {
  try {
    return z.record(z.string(), z.json()).parse(JSON.parse(text))
  } catch {
    throw new PlanError(code, `${name} must be a JSON object such as '${such}'`)
  }
}

/** The metadata by `model` (a shipped name), `modelFile` or `config`. @throws `model.*` */
export const readModel = async (
  dag: Client,
  assets: Directory,
  args: InferenceArguments,
): Promise<ModelMetadata> => {
  if (args.modelFile)
    return readModelText(await args.modelFile.contents(), await args.modelFile.name())
  if (args.config && args.model === undefined)
    return modelOfConfig(await args.config.contents(), await args.config.name())
  const shipped = (await assets.directory('models').entries())
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => name.slice(0, -5))
  if (args.model === undefined || !shipped.includes(args.model))
    throw new PlanError(
      'model.not_found',
      `no model ${args.model ?? 'was named'}: use --model with one of ${shipped.join(', ')}, --model-file, or --config and --checkpoint of TerraTorch`,
    )
  return parseModel(await assets.file(`models/${args.model}.yaml`).contents(), `${args.model}.yaml`)
}

/** A model as text: `json`, its metadata, or `mlm`, its STAC Item. @throws `model.format` */
export const modelText = async (
  dag: Client,
  assets: Directory,
  args: InferenceArguments,
  as: string,
): Promise<string> => {
  if (as !== 'json' && as !== 'mlm')
    throw new PlanError('model.format', `--as ${as} is no form of a model: use json or mlm`)
  const model = await readModel(dag, assets, args)
  return JSON.stringify(as === 'mlm' ? modelToMlm(model) : model, null, 2)
}

/** A file's bytes: the engine gives text alone, in which a byte that is not UTF-8 is lost. */
const bytesOf = async (dag: Client, file: File): Promise<Uint8Array> => {
  const text = await file.contents()
  if (!text.includes('\uFFFD')) return Buffer.from(text)
  const reader = dag.container().from('debian:bookworm-slim').withMountedFile('/file', file)
  return Buffer.from(await reader.withExec(['base64', '-w0', '/file']).stdout(), 'base64')
}

/** A user's script by the rules of every door. @throws PlanError `processor.*` */
export const readScriptFile = async (
  dag: Client,
  file: File,
): Promise<{ script: string; file_name: string }> => ({
  file_name: scriptName(await file.name()),
  script: decodeScript(await bytesOf(dag, file)),
})

const readProcessor = async (
  dag: Client,
  args: InferenceArguments,
): Promise<Processor | undefined> => {
  if (!args.processor) {
    if ((args.processorParameters ?? '{}').trim() === '{}') return undefined
    throw new PlanError(
      'processor.parameters',
      'processor-parameters without --processor: name the script',
    )
  }
  return {
    ...(await readScriptFile(dag, args.processor)),
    processor_parameters: jsonObject(
      args.processorParameters ?? '{}',
      'processor.parameters',
      'processor-parameters',
    ),
    limits: jsonObject(
      args.processorLimits ?? '{}',
      'processor.limits',
      'processor-limits',
      '{"memory_mb": 4096}',
    ),
  }
}

const inputsOf = async (dag: Client, args: InferenceArguments): Promise<Directory> => {
  const inputs = args.inputs ?? dag.directory()
  return args.scene ? inputs.withFile(await args.scene.name(), args.scene) : inputs
}

const masksOf = ({ landPolygons, permanentWater }: InferenceArguments): PlanOptions =>
  landPolygons || permanentWater
    ? {
        masks: {
          ...(landPolygons ? { landPolygons } : {}),
          ...(permanentWater ? { permanentWater } : {}),
        },
      }
    : {}

// A server given as a service is reached under this name and GeoServer's usual port.
const geoserverUrlOf = (args: InferenceArguments): { geoserverUrl?: string } => {
  if (args.geoserverUrl) return { geoserverUrl: args.geoserverUrl }
  return args.geoserver ? { geoserverUrl: 'http://geoserver:8080/geoserver' } : {}
}

/** What is given beside the model's YAML, by its key in the `inference` block. */
const givenFiles = (args: InferenceArguments): [ModelFileKey, File][] =>
  (Object.keys(MODEL_FILES) as ModelFileKey[]).flatMap((key) =>
    args[key] ? [[key, args[key]] as [ModelFileKey, File]] : [],
  )

/** The project's files, and below models/ what is given beside them. */
const withGiven = (assets: Directory, args: InferenceArguments): Directory =>
  givenFiles(args).reduce(
    (made, [key, file]) => made.withFile(`models/${MODEL_FILES[key]}`, file),
    assets,
  )

/** @throws PlanError `model.no_weights` before any step runs */
const checkFiles = async (assets: Directory, model: ModelMetadata): Promise<void> => {
  for (const [key, from] of filesOf(model.inference)) {
    if (!('file' in from) || (await assets.glob(`models/${from.file}`)).length > 0) continue
    throw new PlanError(
      'model.no_weights',
      `inference.${key}.file: there is no models/${from.file}: pass your own with --${key} and name it ${MODEL_FILES[key]} in the model's file`,
    )
  }
}

/** The scenes of a zip among the inputs or at a URL, in this session. */
const listZip = (
  dag: Client,
  assets: Directory,
  args: InferenceArguments,
  { url, file }: Scene,
  inputs: Directory,
  inferenceId: string,
) => {
  const zip = { ...(url === undefined ? { file: file! } : { url }) }
  const allow_private_hosts = args.allowPrivateHosts ?? false
  const env = { dag, assets, runKey: inferenceId, secrets: {} }
  return scenesInZip(env, { ...zip, allow_private_hosts }, inputs, inferenceId)
}

/** A request's own steps go before the model's, as at the other doors. @throws PlanError `plan.unknown_step` */
const withSteps = (
  given: InferenceRequest['pipeline_steps'],
  model: ModelMetadata,
): ModelMetadata =>
  given?.length
    ? {
        ...model,
        pipeline_steps: given.map(({ process_id, step_number }) => ({
          process_id: stepOf(process_id),
          step_number,
        })),
      }
    : model

const planOf = async (
  dag: Client,
  assets: Directory,
  args: InferenceArguments,
): Promise<{ planned: Planned; inputs: Directory; catalogue: Catalogues }> => {
  const request = await readRequest(args)
  const model = withSteps(
    request.pipeline_steps,
    await readModel(dag, assets, {
      ...args,
      model: args.model ?? request.model_display_name ?? undefined,
    }),
  )
  await checkFiles(withGiven(assets, args), model)
  const inputs = await inputsOf(dag, args)
  const files = (await inputs.entries()).filter((name) => /\.(tiff?|zip|gpkg|nc)$/i.test(name))
  // A scene given by name is run whatever its ending: the step says what is wrong with it.
  const named = args.scene ? [await args.scene.name()] : []
  const processor = await readProcessor(dag, args)
  const catalogue = await moduleCatalogue(args)
  const planned = await planRequest(request, model, catalogue, {
    files: args.inputs ? [...new Set([...files, ...named])] : named,
    list: (scene, _origin, id) => listZip(dag, assets, args, scene, inputs, id),
    ...(args.allowPrivateHosts ? { allowPrivateHosts: true } : {}),
    ...(args.gpu ? { gpu: true } : {}),
    ...(processor ? { processor } : {}),
    ...geoserverUrlOf(args),
    ...masksOf(args),
    ...(args.inferenceId ? { inferenceId: args.inferenceId } : {}),
  })
  for (const task of planned.plan.tasks)
    for (const file of task.files)
      if (![...files, ...named].includes(file))
        throw new PlanError('source.not_found', `${file} is not among the inputs`)
  return { planned, inputs, catalogue }
}

/** What would run, as JSON; the script's text is left out. */
export const planText = async (
  dag: Client,
  assets: Directory,
  args: InferenceArguments,
): Promise<string> => {
  const { planned } = await planOf(dag, assets, args)
  const { plan, missing, warnings, estimate } = planned
  const shown = estimate ? { ...plan, missing, warnings, totals: estimate.totals } : plan
  return JSON.stringify(shown, (key, value) => (key === 'script' ? undefined : value), 2)
}

/** Plans and runs; throws only for a wrong request. */
export const composeInference = async (
  dag: Client,
  assets: Directory,
  args: InferenceArguments,
): Promise<{ outputs: Directory; summary: string }> => {
  const { planned, inputs, catalogue } = await planOf(dag, assets, args)
  const { plan, missing } = planned
  const access = await catalogue.access(plan.tasks)
  const secrets: Record<string, Secret> = access ? { access: dag.setSecret('access', access) } : {}
  if (args.geoserverUsername) secrets.geoserverUsername = args.geoserverUsername
  if (args.geoserverPassword) secrets.geoserverPassword = args.geoserverPassword
  if (args.geoserverCa) secrets.geoserverCa = args.geoserverCa
  const env = {
    dag,
    assets: withGiven(assets, args),
    runKey: plan.inference_id,
    secrets,
    ...(args.geoserver ? { services: { geoserver: args.geoserver } } : {}),
  }
  const { outputs, manifest } = await compose(env, plan, inputs)
  const gaps = missing.map((gap) => `no data  ${missingText(gap)}`)
  return { outputs, summary: [summarize(manifest), ...gaps].join('\n') }
}

/**
 * A TerraTorch model as ONNX, as the step itself makes it: `model.onnx`, `runtime.json`, `log.txt`.
 *
 * @throws Error with the code of a model that cannot be exported
 */
export const exportModel = async (
  dag: Client,
  assets: Directory,
  given: { readonly config: File; readonly checkpoint: File },
  tile?: number,
): Promise<Directory> => {
  const env = { dag, assets: withGiven(assets, given), runKey: crypto.randomUUID(), secrets: {} }
  const config = { file: MODEL_FILES.config }
  const checkpoint = { file: MODEL_FILES.checkpoint }
  const out = await exported(env, { config, checkpoint, tile, allow_private_hosts: false })
  const answer = JSON.parse(await out.file('answer.json').contents())
  if (answer.code) throw new Error(`${answer.code}: ${answer.message}`)
  return out.withoutFile('answer.json')
}

/** One step on its own; its failure fails the call. @throws Error with the step's code */
export const runOne = async (
  dag: Client,
  assets: Directory,
  name: StepName,
  parameters: string,
  input?: Directory,
  secrets: Record<string, Secret> = {},
): Promise<Directory> => {
  const parsed = contracts[name].parameters.safeParse(
    jsonObject(parameters, 'step.invalid', 'parameters'),
  )
  if (!parsed.success) throw invalid('step.invalid', name, parsed.error)
  const files = (input ?? dag.directory()).withoutFiles([
    'result.json',
    'log.txt',
    'artifacts.json',
  ])
  const listed = input && (await input.entries()).includes('artifacts.json')
  const artifacts = listed ? JSON.parse(await input.file('artifacts.json').contents()) : {}
  const env = { dag, assets, runKey: crypto.randomUUID(), secrets }
  const out = await registry[name].out(env, { files, artifacts }, parsed.data)
  const result = JSON.parse(await out.file('result.json').contents())
  if (result.status === 'FAILED') throw new Error(`${result.error.code}: ${result.error.message}`)
  const all = { ...artifacts, ...result.artifacts }
  return files.withDirectory('.', out).withNewFile('artifacts.json', JSON.stringify(all, null, 2))
}

/** One step by any of its names. @throws PlanError `step.unknown` */
export const runNamed = async (
  dag: Client,
  assets: Directory,
  name: string,
  parameters: string,
  input?: Directory,
): Promise<Directory> => {
  const known = stepNamed(name)
  if (!known)
    throw new PlanError('step.unknown', `no step ${name}: use one of ${stepNames.join(', ')}`)
  return runOne(dag, assets, known, parameters, input)
}
