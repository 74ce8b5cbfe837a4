import { defineStep } from '../step.ts'
import { contract } from './contract.ts'

/**
 * Runs a user's script in the sandbox of DESIGN.md 5: no network, no capabilities, limits.
 *
 * A raster that the script leaves becomes `model_output_image`. Fails with `processor.*`.
 */
export const genericPythonProcessor = defineStep({
  contract,
  out: (env, input, { script, ...rest }) =>
    env.dag
      .directory()
      .withFile('Dockerfile', env.assets.file('containers/sandbox/Dockerfile'))
      .withDirectory('input', input.files)
      .withDirectory('job/program', env.assets.directory(`steps/${contract.name}/program`))
      .withNewFile('job/script.py', script)
      .withNewFile('job/job.json', JSON.stringify({ ...rest, artifacts: input.artifacts }))
      .dockerBuild()
      .directory('/out'),
})
