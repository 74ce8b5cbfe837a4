import type { Directory } from '@dagger.io/dagger'
import { runModel } from '../model-exec.ts'
import { defineStep, image, type StepEnvironment, withServices } from '../step.ts'
import type { Weights } from '../weights.ts'
import { contract } from './contract.ts'

/** The folder of the graph and its name in it; what is fetched comes by an exec of its own, once for all scenes. */
const modelFolder = (
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
  const wanted = JSON.stringify({ ...from, allow_private_hosts })
  const program = env.assets.file(`steps/${contract.name}/program/weights.py`)
  const base = 'url' in from ? withServices(env, image(env, 'raster')) : image(env, 'raster')
  const folder = base
    .withMountedFile('/weights.py', program)
    .withExec(['python3', '/weights.py', wanted, '/weights'])
    .directory('/weights')
  return { folder, name: 'model.onnx' }
}

/**
 * Runs an ONNX model over the model input, window by window, overlaps averaged.
 *
 * Writes `<stem>_pred.tif`: COG, int16 classes with nodata -1 or float32 with nodata -9999, the
 * scene's CRS and transform; where asked `_probabilities.tif` and `_logits.tif`, a band a class.
 * Fails with `model.unreachable`, `model.refused`, `model.bad_weights`, `model.unreadable`,
 * `model.custom_op`, `model.external_data`, `model.bad_runtime`, `model.bad_input`,
 * `model.bad_output`, `model.memory`, `model.no_date`, `model.no_place`, `step.disk`.
 */
export const onnxInference = defineStep({
  contract,
  out: (env, input, parameters) => {
    const { weights: from, allow_private_hosts, ...rest } = parameters
    const { folder, name } = modelFolder(env, from, allow_private_hosts)
    return runModel(env, contract.name, folder, input, { ...rest, weights: name })
  },
})
