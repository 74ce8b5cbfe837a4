import { defineStep, STEP_EXEC, withServices } from '../step.ts'
import { contract } from './contract.ts'

const skipped = (now: string) =>
  JSON.stringify({
    status: 'SKIPPED',
    error: null,
    started_at: now,
    seconds: 0,
    artifacts: {},
    details: { reason: 'no GeoServer URL was given' },
  })

/** Files that the program reads, by the secrets that they hold. */
const SECRETS = {
  username: 'geoserverUsername',
  password: 'geoserverPassword',
  ca: 'geoserverCa',
} as const

/**
 * Publishes layers to a GeoServer: the one step with an effect outside, never cached.
 *
 * `details.predicted_layers` lists what was published. Fails with `geoserver.*`.
 */
export const pushToGeoserver = defineStep({
  contract,
  out: (env, input, parameters) => {
    if (parameters.url === null)
      return env.dag
        .directory()
        .withNewFile('log.txt', 'skipped: no GeoServer URL was given\n')
        .withNewFile('result.json', skipped(new Date().toISOString()))
    let container = withServices(env, env.dag.container().from('node:24-bookworm-slim'))
      .withMountedDirectory('/program', env.assets.directory(`steps/${contract.name}/program`))
      .withMountedDirectory('/in', input.files)
      .withNewFile('/parameters.json', JSON.stringify({ parameters, artifacts: input.artifacts }))
      .withDirectory('/out', env.dag.directory())
      // An effect is never answered from the cache.
      .withEnvVariable('RUN_KEY', `${env.runKey}/${crypto.randomUUID()}`)
    for (const [name, key] of Object.entries(SECRETS)) {
      const secret = env.secrets[key]
      if (secret) container = container.withMountedSecret(`/run/secrets/${name}`, secret)
    }
    return container
      .withExec(['node', '/program/main.ts', '/parameters.json', '/in', '/out'], STEP_EXEC)
      .directory('/out')
  },
})
