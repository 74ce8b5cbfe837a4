import { modelFolder, runModel } from '../model-exec.ts'
import { defineStep } from '../step.ts'
import { contract } from './contract.ts'

/**
 * Runs the cloud model over the six bands of the model input, at about 30 m as it was trained.
 *
 * Writes `cloud_mask.tif`: uint8, 0 clear, 1 cloud, 2 shadow, nodata 255, on a grid of whole
 * multiples of the scene's pixels. Fails with `mask.not_reflectance`, `model.*`.
 */
export const cloudMask = defineStep({
  contract,
  out: (env, input, parameters) => {
    const { weights: from, ...rest } = parameters
    const { folder, name } = modelFolder(env, from, false)
    return runModel(env, contract.name, folder, input, { ...rest, weights: name })
  },
})
