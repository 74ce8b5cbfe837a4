import { createHash } from 'node:crypto'
import { CacheSharingMode, type Directory } from '@dagger.io/dagger'
import { PlanError } from '../errors.ts'
import { followed, supervised } from '../sandbox.ts'
import { defineStep, type StepEnvironment, type StepInput } from '../step.ts'
import { readBlock, type ScriptBlock } from './block.ts'
import { contract } from './contract.ts'

const RECIPE = 'containers/sandbox'
const PROGRAM = `steps/${contract.name}/program`

/**
 * Names a run's live log by all that the run is made of, so that it is in no cache key by itself
 * and nobody but who has the same script and the same input can name it.
 */
const liveName = async (input: StepInput, parameters: unknown): Promise<string> =>
  createHash('sha256')
    .update(JSON.stringify([await input.files.digest(), input.artifacts, parameters]))
    .digest('hex')

/** With network and without the script: what is fetched depends on the block alone, and is cached by it. */
const fetched = (env: StepEnvironment, block: ScriptBlock): Directory =>
  env.assets
    .directory(RECIPE)
    .dockerBuild({ target: 'sandbox' })
    .withMountedCache('/root/.cache/pip', env.dag.cacheVolume('geodag-pip'), {
      sharing: CacheSharingMode.Shared,
    })
    .withMountedFile('/fetch_libraries.py', env.assets.file(`${PROGRAM}/fetch_libraries.py`))
    .withNewFile('/block.json', JSON.stringify(block))
    .withExec(['/venv/bin/python', '-B', '/fetch_libraries.py', '/block.json', '/libraries'])
    .directory('/libraries')

/** The libraries that the script itself names (PEP 723), or why they are refused: the run says so. */
const librariesOf = (env: StepEnvironment, script: string): Directory => {
  try {
    const block = readBlock(script)
    return block ? fetched(env, block) : env.dag.directory()
  } catch (error) {
    if (!(error instanceof PlanError)) throw error
    const { code, message } = error
    const answer = { code, message: message.replace(`${code}: `, '') }
    return env.dag.directory().withNewFile('answer.json', JSON.stringify(answer))
  }
}

/**
 * Runs a user's script in a sandbox: no network, no capabilities, a uid of its own, limits.
 *
 * A raster that the script leaves becomes `model_output_image`; its other files are artifacts
 * `processor/<name>`. Fails with `processor.*`.
 */
export const genericPythonProcessor = defineStep({
  contract,
  out: async (env, input, parameters) => {
    const { script, ...rest } = parameters
    return env.dag
      .directory()
      .withDirectory('.', env.assets.directory(RECIPE))
      .withDirectory('input', input.files)
      .withDirectory('libraries', librariesOf(env, script))
      .withDirectory('job/program', supervised(env, PROGRAM))
      .withNewFile('job/script.py', script)
      .withNewFile('job/job.json', JSON.stringify({ ...rest, artifacts: input.artifacts }))
      .withNewFile('job/live', await liveName(input, parameters))
      .dockerBuild()
      .directory('/out')
  },
  live: async (env, input, parameters) => followed(env, await liveName(input, parameters)),
})
