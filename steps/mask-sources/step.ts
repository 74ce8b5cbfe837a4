import { defineStep, image, runPython, withServices } from '../step.ts'
import { contract } from './contract.ts'

/**
 * Fetches polygons and rasters that masks are made from.
 *
 * Fails with `source.*` where a URL cannot be read, `mask.not_vector`, `mask.not_raster`,
 * `mask.outside`. A URL may serve new bytes, so the fetch is keyed by the task.
 */
export const maskSources = defineStep({
  contract,
  out: (env, input, parameters) => {
    const base = withServices(env, image(env, 'raster')).withEnvVariable('RUN_KEY', env.runKey)
    return runPython(env, contract.name, base, input, parameters)
  },
})
