import { defineStep, image, runPython } from '../step.ts'
import { contract } from './contract.ts'

/**
 * Makes the layers of a task: RGB, masked prediction, preview PNG and `archive.zip`.
 *
 * Fails with `postprocess.no_mask_band` when a mask is asked for and the scene has no class band.
 */
export const postprocessGeneric = defineStep({
  contract,
  out: (env, input, parameters) =>
    runPython(env, contract.name, image(env, 'raster'), input, {
      ...parameters,
      // For the digests of the Item; pure, so that equal tasks stay equal work.
      steps: input.steps ?? [],
    }),
})
