import { createHash } from 'node:crypto'
import { CacheSharingMode } from '@dagger.io/dagger'
import { defineStep, type StepInput } from '../step.ts'
import { contract } from './contract.ts'

/**
 * Names a run's live log by all that the run is made of, so that it is in no cache key by itself
 * and nobody but who has the same script and the same input can name it.
 */
const liveName = async (input: StepInput, parameters: unknown): Promise<string> =>
  createHash('sha256')
    .update(JSON.stringify([await input.files.digest(), input.artifacts, parameters]))
    .digest('hex')

// Waits for what is newer than itself: an earlier try of the same run may have left its log.
const FOLLOW = `touch /begun; f=/live/$NAME
until [ "$f" -nt /begun ]; do sleep 0.1; done
tail -c +1 -s 0.2 ---disable-inotify -f "$f" 2>/dev/null &
until [ "$f.end" -nt /begun ]; do sleep 0.2; done
sleep 0.5; kill $!`

/**
 * Runs a user's script in the sandbox of DESIGN.md 5: no network, no capabilities, limits.
 *
 * A raster that the script leaves becomes `model_output_image`. Fails with `processor.*`.
 */
export const genericPythonProcessor = defineStep({
  contract,
  out: async (env, input, parameters) => {
    const { script, ...rest } = parameters
    return env.dag
      .directory()
      .withFile('Dockerfile', env.assets.file('containers/sandbox/Dockerfile'))
      .withDirectory('input', input.files)
      .withDirectory('job/program', env.assets.directory(`steps/${contract.name}/program`))
      .withNewFile('job/script.py', script)
      .withNewFile('job/job.json', JSON.stringify({ ...rest, artifacts: input.artifacts }))
      .withNewFile('job/live', await liveName(input, parameters))
      .dockerBuild()
      .directory('/out')
  },
  // The engine passes on nothing of a build without network while it runs (measured on v0.21.8):
  // the program copies its log into a cache volume, and this container reads it there. Key and
  // sharing are what the engine makes of `RUN --mount=type=cache,id=geodag-live,sharing=shared`.
  live: async (env, input, parameters) =>
    env.dag
      .container()
      .from('debian:bookworm-slim')
      .withMountedCache('/live', env.dag.cacheVolume('/geodag-live'), {
        sharing: CacheSharingMode.Shared,
      })
      .withEnvVariable('NAME', await liveName(input, parameters))
      .withEnvVariable('RUN_KEY', crypto.randomUUID())
      .withExec(['sh', '-c', FOLLOW]),
})
