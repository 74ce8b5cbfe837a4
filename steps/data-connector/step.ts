import type { Container, Directory } from '@dagger.io/dagger'
import { stepResult, type StepResult } from '../contract.ts'
import { defineStep, image, runPython, withServices, type StepEnvironment } from '../step.ts'
import { contract } from './contract.ts'

/** What a run needs to be let in: see connectors/access.ts. In no parameter and no log. */
const withAccess = (env: StepEnvironment, container: Container): Container =>
  env.secrets.access
    ? container.withMountedSecret('/run/secrets/access.json', env.secrets.access, { mode: 0o400 })
    : container

const resultOf = async (out: Directory): Promise<StepResult | undefined> => {
  try {
    return stepResult.parse(JSON.parse(await out.file('result.json').contents()))
  } catch {
    return undefined // killed, or no image: who runs the step says so
  }
}

/** The same files under the task's own names. */
const named = (out: Directory, result: StepResult, task: string): Directory => {
  const files = [...new Set(Object.values(result.artifacts))]
  const artifacts = Object.fromEntries(
    Object.entries(result.artifacts).map(([key, file]) => [key, `${task}_${file}`]),
  )
  return files
    .reduce((made, file) => made.withFile(`${task}_${file}`, out.file(file)).withoutFile(file), out)
    .withNewFile('result.json', JSON.stringify({ ...result, artifacts }))
}

/**
 * Reads the frozen items of one day onto the plan's grid, and makes the model input of them.
 *
 * What it made is known by the items, the grid and the image (GDAL's version with it), so another
 * task or a later try that wants the same gets the same without a download. A failure is never
 * taken from an earlier run: it is tried again, keyed by the run. Fails with `source.*`.
 */
export const dataConnector = defineStep({
  contract,
  out: async (env, _input, parameters) => {
    const { task_id, ...same } = parameters
    const base = withAccess(env, withServices(env, image(env, 'raster')))
    const nothing = { files: env.dag.directory(), artifacts: {} }
    const asked = { ...same, task_id: null }
    const began = new Date().toISOString()
    let out = runPython(env, contract.name, base, nothing, asked)
    let result = await resultOf(out)
    if (result?.status === 'FAILED' && result.started_at < began) {
      const keyed = base.withEnvVariable('RUN_KEY', env.runKey)
      out = runPython(env, contract.name, keyed, nothing, asked)
      result = await resultOf(out)
    }
    return task_id && result?.status === 'FINISHED' ? named(out, result, task_id) : out
  },
})
