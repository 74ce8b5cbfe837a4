import type { Client, Directory } from '@dagger.io/dagger'
import type { StepEnvironment } from '../../steps/step.ts'
import type { Config } from '../config.ts'
import { geoserverOf } from '../planning/geoserver.ts'

const root = new URL('../..', import.meta.url).pathname

export const assetsOf = (dag: Client): Directory =>
  dag.host().directory(root, {
    include: ['steps/*/program/**', 'containers/**', 'models/**', 'examples/**'],
    exclude: ['**/__pycache__'],
  })

/** What the steps of one task may reach; `key` names its try. */
export const environmentOf = (
  dag: Client,
  config: Config,
  key: string,
  given: {
    readonly models?: Directory | undefined
    readonly access: string | undefined
    readonly server?: string | undefined
  },
): StepEnvironment => {
  const assets = assetsOf(dag)
  const { local } = geoserverOf(config)
  const secrets = config.GEOSERVER_PASSWORD
    ? {
        geoserverUsername: dag.setSecret('geoserver-username', config.GEOSERVER_USERNAME),
        geoserverPassword: dag.setSecret('geoserver-password', config.GEOSERVER_PASSWORD),
        ...(config.GEOSERVER_CA
          ? { geoserverCa: dag.setSecret('geoserver-ca', config.GEOSERVER_CA) }
          : {}),
      }
    : {}
  const services = local
    ? { services: { geoserver: dag.host().service([{ frontend: local, backend: local }]) } }
    : {}
  return {
    dag,
    assets: given.models ? assets.withDirectory('models', given.models) : assets,
    runKey: key,
    secrets: {
      ...secrets,
      ...(given.access ? { access: dag.setSecret('access', given.access) } : {}),
      ...(given.server ? { server: dag.setSecret('server', given.server) } : {}),
    },
    ...services,
  }
}
