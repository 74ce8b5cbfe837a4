import { createHash } from 'node:crypto'
import type { Container, Directory } from '@dagger.io/dagger'
import { fetchedFile, modelFolder, runModel } from '../model-exec.ts'
import { followed, supervised } from '../sandbox.ts'
import { defineStep, type StepEnvironment, type StepInput } from '../step.ts'
import { contract, type TerratorchModel } from './contract.ts'

const RECIPE = 'containers/terratorch'
const EXPORT = `steps/${contract.name}/program/export`

/** Every run of the same model is the same user, so that the export is one exec. */
const RUN = '7e11a7042c40'

/** What one run of TerraTorch is made of, and the name of its log while it runs. */
interface Confined {
  readonly files: Directory
  readonly input: Directory
  readonly job: object
  readonly live: string
}

/**
 * The log's name says all that the run is made of: it is in no cache key by itself, and nobody but
 * who has the same files can name it.
 */
const confined = async (
  env: StepEnvironment,
  { config, checkpoint, allow_private_hosts }: TerratorchModel,
  input: Directory,
  job: object,
): Promise<Confined> => {
  const files = env.dag
    .directory()
    .withFile('config.yaml', fetchedFile(env, config, 'config', allow_private_hosts))
    .withFile('checkpoint.ckpt', fetchedFile(env, checkpoint, 'checkpoint', allow_private_hosts))
  const parts = [await files.digest(), await input.digest(), job]
  const live = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
  return { files, input, job: { run: RUN, ...job }, live }
}

/** One run of TerraTorch without network, its files read-only. */
const ran = (env: StepEnvironment, { files, input, job, live }: Confined): Directory =>
  env.dag
    .directory()
    .withDirectory('.', env.assets.directory(RECIPE))
    .withDirectory('model', files)
    .withDirectory('input', input)
    .withDirectory('job/program', supervised(env, EXPORT))
    .withNewFile('job/job.json', JSON.stringify(job))
    .withNewFile('job/live', live)
    .dockerBuild()
    .directory('/out')

const exportJob = (env: StepEnvironment, model: TerratorchModel): Promise<Confined> => {
  const { tile } = model
  const sides = typeof tile === 'number' ? [tile, tile] : (tile ?? null)
  return confined(env, model, env.dag.directory(), { tile: sides })
}

/**
 * A TerraTorch model as ONNX, by one exec for all scenes: `model.onnx`, `runtime.json`,
 * `answer.json`, `log.txt`.
 *
 * It is kept by config, checkpoint, image and tile. A model that is not exported has an
 * `answer.json` with a code, which is kept as well.
 */
export const exported = async (env: StepEnvironment, model: TerratorchModel): Promise<Directory> =>
  ran(env, await exportJob(env, model))

/** Prints the log of an export while it runs. */
export const exportFollowed = async (
  env: StepEnvironment,
  model: TerratorchModel,
): Promise<Container> => followed(env, (await exportJob(env, model)).live)

/** TerraTorch itself over the model input: `prediction.tif` beside `answer.json` and `log.txt`. */
const predicted = async (
  env: StepEnvironment,
  model: TerratorchModel,
  input: StepInput,
): Promise<Directory> => {
  const plain = 'imputed_input_image'
  const tagged = Object.entries(input.artifacts).filter(([key]) => key.startsWith(`${plain}:`))
  const listed = tagged.length ? tagged : [[plain, input.artifacts[plain]!] as const]
  const scenes = listed.map(([key, name]) => [key.slice(plain.length + 1), `/in/${name}`])
  const files = listed.reduce(
    (made, [, name]) => made.withFile(name!, input.files.file(name!)),
    env.dag.directory(),
  )
  return ran(env, await confined(env, model, files, { scenes: Object.fromEntries(scenes) }))
}

/** Whether the export says that TerraTorch has to run the model; a failure is told by the run itself. */
const isRefused = async (folder: Directory): Promise<boolean> => {
  try {
    const { code } = JSON.parse(await folder.file('answer.json').contents())
    return code === 'model.not_exportable'
  } catch {
    return false
  }
}

/**
 * Runs a fine-tuned TerraTorch model: exported once, proved against torch, then run as any ONNX.
 * What cannot be exported is run by TerraTorch itself, scene by scene, in the same sandbox.
 *
 * Writes what onnx-inference writes, and fails with its codes or with those of the sandbox:
 * `model.bad_config`, `model.forbidden_class`, `model.bad_checkpoint`, `model.predict_failed`,
 * `model.memory`, `model.export_timeout`, `model.export_failed`.
 */
export const terratorchInference = defineStep({
  contract,
  out: async (env, input, parameters) => {
    const { config, checkpoint, weights: from, allow_private_hosts, ...rest } = parameters
    if (from) {
      const { folder, name } = modelFolder(env, from, allow_private_hosts)
      return runModel(env, contract.name, folder, input, { ...rest, weights: name })
    }
    const { tile, ...run } = rest
    const model = { config: config!, checkpoint: checkpoint!, tile, allow_private_hosts }
    const folder = await exported(env, model)
    const used = (await isRefused(folder)) ? await predicted(env, model, input) : folder
    return runModel(env, contract.name, used, input, { ...run, weights: 'model.onnx' })
  },
  live: async (env, _input, { config, checkpoint, tile, allow_private_hosts }) =>
    config && checkpoint
      ? exportFollowed(env, { config, checkpoint, tile, allow_private_hosts })
      : undefined,
})
