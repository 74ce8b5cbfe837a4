import { defineStep, image, runPython, withServices } from '../step.ts'
import { contract } from './contract.ts'

/**
 * JSON `{"uploads": {name: {"put": URL, "get": URL}}, "tokens": {origin: token}}`: signed URLs and
 * tokens end or are secret, so they are in no plan, log or cache key.
 */
const SERVER = '/run/secrets/server.json'

/**
 * Has a deployed model predict over the model input, by vLLM's pooling API.
 *
 * Writes `<stem>_pred.tif`: COG on the scene's grid, int16 classes with nodata -1, or float32 with
 * nodata -9999. Fails with `model.server_*`, `artifact.missing`, `input.*`.
 */
export const runInference = defineStep({
  contract,
  out: (env, input, parameters) => {
    const base = withServices(env, image(env, 'raster')).withEnvVariable('RUN_KEY', env.runKey)
    const { server } = env.secrets
    const placed = server ? base.withMountedSecret(SERVER, server) : base
    return runPython(env, contract.name, placed, input, {
      ...parameters,
      uploads: contract.uploads?.(parameters) ?? [],
    })
  },
})
