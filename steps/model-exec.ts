import type { Directory } from '@dagger.io/dagger'
import { image, runPython, type StepEnvironment, type StepInput } from './step.ts'

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
