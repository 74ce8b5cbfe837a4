import { modelFolder, runModel } from '../model-exec.ts'
import { defineStep } from '../step.ts'
import { contract } from './contract.ts'

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
