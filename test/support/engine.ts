import { readFileSync } from 'node:fs'
import { connection, type Client, dag, type Directory, type File } from '@dagger.io/dagger'
import { compose, type Composed } from '../../pipelines/compose.ts'
import { type ModelMetadata, parseModel } from '../../pipelines/model.ts'
import { planInference, type PlanInferenceOptions as PlanOptions } from '../../pipelines/plan.ts'
import { inferenceRequest } from '../../pipelines/request.ts'
import type { StepEnvironment } from '../../steps/step.ts'

export const root = new URL('../..', import.meta.url).pathname

/** The project's own files as the module would see them. */
export const assets = (): Directory =>
  dag.host().directory(root, {
    include: ['steps/*/program/**', 'containers/**', 'models/**', 'examples/**'],
    exclude: ['**/__pycache__'],
  })

/** Runs a Python script in the raster image and returns the files that it leaves in /made. */
export const make = (script: string): Directory =>
  assets()
    .directory('containers/raster')
    .dockerBuild()
    .withExec(['mkdir', '-p', '/made'])
    .withWorkdir('/made')
    .withExec(['python3', '-c', script])
    .directory('/made')

/** One session; the engine is the environment's. */
export const session = <T>(body: () => Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    connection(async () => resolve(await body())).catch(reject)
  })

export const run = (
  model: string,
  inputs: Directory,
  files: string[],
  options: PlanOptions = {},
  request: object = {},
  more: Partial<StepEnvironment> = {},
  change: (model: ModelMetadata) => ModelMetadata = (model) => model,
): Promise<Composed> => {
  const metadata = change(parseModel(readFileSync(`${root}/models/${model}.yaml`, 'utf8')))
  const plan = planInference(inferenceRequest.parse(request), metadata, { files, ...options })
  const env = {
    dag: dag as Client,
    assets: assets(),
    runKey: plan.inference_id,
    secrets: {},
    ...more,
  }
  return compose(env, plan, inputs)
}

export const scene = (path: string): File => dag.host().file(path)
