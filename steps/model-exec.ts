import type { Directory, File } from '@dagger.io/dagger'
import { image, runPython, type StepEnvironment, type StepInput, withServices } from './step.ts'
import type { ModelFile, Weights } from './weights.ts'

/** The folder of the graph and its name in it; what is fetched comes by an exec of its own, once for all scenes. */
export const modelFolder = (
  env: StepEnvironment,
  from: Weights,
  allow_private_hosts: boolean,
): { folder: Directory; name: string } => {
  if ('file' in from) {
    const at = from.file.lastIndexOf('/')
    const name = from.file.slice(at + 1)
    // A model in a folder of its own brings all of it: runtime.json, and tensors kept beside the graph.
    if (at > 0) return { folder: env.assets.directory(`models/${from.file.slice(0, at)}`), name }
    const include = [name, `${name}.data`, `${name}_data`]
    const folder = env.dag
      .directory()
      .withDirectory('.', env.assets.directory('models'), { include })
    return { folder, name }
  }
  return { folder: brought(env, { ...from, allow_private_hosts }), name: 'model.onnx' }
}

const brought = (env: StepEnvironment, wanted: object): Directory => {
  const base = 'url' in wanted ? withServices(env, image(env, 'raster')) : image(env, 'raster')
  return base
    .withExec(['python3', '-m', 'geodag.weights', JSON.stringify(wanted), '/weights'])
    .directory('/weights')
}

/** A file that nobody has pinned yet; `key` names this try, for a URL may serve new bytes. */
export const fetchedUrl = (
  env: StepEnvironment,
  wanted: { url: string; field: string; allow_private_hosts: boolean },
  key: string,
): File => brought(env, { ...wanted, key }).file('model.onnx')

/** One file of a model by its own; `field` is its name in the `inference` block, for messages. */
export const fetchedFile = (
  env: StepEnvironment,
  from: ModelFile,
  field: string,
  allow_private_hosts: boolean,
): File =>
  'file' in from
    ? env.assets.file(`models/${from.file}`)
    : brought(env, { ...from, field, allow_private_hosts }).file('model.onnx')

/**
 * Runs a model over the model input: what onnx-inference and every step share that has a graph.
 *
 * `model` holds the graph, its data and perhaps `runtime.json`; `parameters.weights` names the graph.
 * With `parameters.gpu` the exec asks the engine for its GPUs, on the image with CUDA.
 */
export const runModel = (
  env: StepEnvironment,
  step: string,
  model: Directory,
  input: StepInput,
  parameters: { readonly gpu?: boolean | undefined; readonly weights: string },
): Directory => {
  const base = image(env, 'raster', parameters.gpu ? GPU_IMAGE : {}).withMountedDirectory(
    '/model',
    model,
  )
  const placed = parameters.gpu ? base.experimentalWithAllGPUs() : base
  return runPython(env, step, placed, input, parameters)
}

/** Build arguments of containers/raster for the variant with onnxruntime-gpu and CUDA's libraries. */
export const GPU_IMAGE = { REQUIREMENTS: 'requirements-gpu.txt' }
