import { defineStep, image, runPython, withServices } from '../step.ts'
import { contract } from './contract.ts'

/**
 * Fetches one scene and makes the model input of it: bands in order, scaled, nodata filled.
 *
 * Fails with `source.*`. A file is pure and cached by content; a URL may serve new bytes, so its
 * download is keyed by the task.
 */
export const urlConnector = defineStep({
  contract,
  out: (env, input, parameters) => {
    const base = image(env, 'raster')
    const keyed = parameters.url
      ? withServices(env, base).withEnvVariable('RUN_KEY', env.runKey)
      : base
    return runPython(env, contract.name, keyed, input, parameters)
  },
})
