import type { Directory } from '@dagger.io/dagger'
import { defineStep, image, runPython, type StepEnvironment, withServices } from '../step.ts'
import type { Weights } from '../weights.ts'
import { contract } from './contract.ts'

/** The folder that holds `model.onnx`; fetched ones by an exec of their own, once for all scenes. */
const weightsDirectory = (
  env: StepEnvironment,
  from: Weights,
  allow_private_hosts: boolean,
): Directory => {
  if ('file' in from)
    return env.dag.directory().withFile('model.onnx', env.assets.file(`models/${from.file}`))
  const wanted = JSON.stringify({ ...from, allow_private_hosts })
  const program = env.assets.file(`steps/${contract.name}/program/weights.py`)
  const base = 'url' in from ? withServices(env, image(env, 'raster')) : image(env, 'raster')
  return base
    .withMountedFile('/weights.py', program)
    .withExec(['python3', '/weights.py', wanted, '/weights'])
    .directory('/weights')
}

/**
 * Runs an ONNX model over the model input, window by window, overlaps averaged.
 *
 * Writes `<stem>_pred.tif`: COG, one band, int16 classes with nodata -1 or float32 with nodata
 * -9999, the scene's CRS and transform. Fails with `model.unreachable`, `model.refused`,
 * `model.bad_weights`, `model.unreadable`, `model.bad_input`.
 */
export const onnxInference = defineStep({
  contract,
  out: (env, input, parameters) => {
    const { weights: from, allow_private_hosts, ...rest } = parameters
    const model = weightsDirectory(env, from, allow_private_hosts)
    const base = image(env, 'raster').withMountedDirectory('/model', model)
    return runPython(env, contract.name, base, input, { ...rest, weights: 'model.onnx' })
  },
})
