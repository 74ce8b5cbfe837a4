import { mkdirSync } from 'node:fs'
import type { Server } from 'node:http'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { serve, type ServerType } from '@hono/node-server'
import { cataloguesOf } from '../pipelines/catalogues.ts'
import { createApp } from './app.ts'
import type { Config } from './config.ts'
import { type Db, migrate, openDatabase, persist } from './database/database.ts'
import { embedded } from './database/embedded.ts'
import { startHousekeeping } from './housekeeping.ts'
import { Listener } from './database/listener.ts'
import { boundBodies } from './http/timeouts.ts'
import { seedShipped } from './models/shipped.ts'
import { ModelJobs } from './runs/model-jobs.ts'
import { Runner } from './runs/runner.ts'
import { FolderStore } from './storage/folder.ts'
import { S3Store } from './storage/s3.ts'
import type { Store } from './storage/store.ts'
import { endTracing, setUpTracing } from './watch/tracing.ts'
import { runMetrics } from './watch/run-metrics.ts'
import { serveRunner } from './watch/runner-server.ts'

export interface Started {
  readonly url: string
  readonly db: Db
  readonly databaseUrl: string
  close(graceSeconds?: number): Promise<void>
}
export interface Roles {
  readonly api: boolean
  readonly runner: boolean
}

const listen = (app: ReturnType<typeof createApp>, config: Config): Promise<ServerType> =>
  new Promise((done, failed) => {
    const server = serve({ fetch: app.app.fetch, port: config.PORT, hostname: config.HOST }, () =>
      done(server),
    )
    server.on('error', failed)
    boundBodies(server as Server)
    app.injectWebSocket(server)
  })

/** Starts the API, a runner, or both, with what the configuration names. */
export const start = async (config: Config, roles: Roles): Promise<Started> => {
  await setUpTracing(config)
  mkdirSync(config.dataFolder, { recursive: true })
  const own = config.DATABASE_URL ? undefined : await embedded(config.dataFolder)
  const databaseUrl = config.DATABASE_URL ?? own!.url
  const db = openDatabase(databaseUrl, 12)
  await persist(() => migrate(db))
  await persist(() => seedShipped(db, config))
  const listener = new Listener(databaseUrl)
  await persist(() => listener.open())

  let publicUrl = config.PUBLIC_URL?.replace(/\/$/, '') ?? `http://127.0.0.1:${config.PORT}`
  const store: Store = config.S3_ENDPOINT
    ? new S3Store(config)
    : new FolderStore(join(config.dataFolder, 'objects'), config.signingKey, () => publicUrl)

  const catalogue = cataloguesOf({
    ...config.catalogue,
    allowPrivateHosts: config.ALLOW_PRIVATE_HOSTS,
    mostTasks: config.MAX_TASKS,
  })
  let server: ServerType | undefined
  const metrics = runMetrics(!roles.api)
  const endHousekeeping = roles.api ? startHousekeeping(db, store, config) : undefined
  if (roles.api) {
    const app = createApp({
      ...{ config, db, store, listener, catalogue },
      publicUrl: () => publicUrl,
      ...(roles.runner ? { runs: metrics.register } : {}),
    })
    server = await listen(app, config)
    const address = server.address()
    if (!config.PUBLIC_URL && typeof address === 'object' && address)
      publicUrl = `http://127.0.0.1:${address.port}`
  }
  const name = `${hostname()}-${process.pid}`
  const runner = roles.runner
    ? new Runner({ db, config, store, catalogue, metrics }, listener, name)
    : undefined
  runner?.start()
  const jobs = roles.runner ? new ModelJobs({ db, config, store, catalogue }, listener) : undefined
  jobs?.start()

  const probes =
    runner && config.METRICS_PORT !== undefined
      ? await serveRunner(
          {
            ...{ db, register: metrics.register },
            live: () => runner.live,
            draining: () => runner.draining,
            engine: config._EXPERIMENTAL_DAGGER_RUNNER_HOST,
          },
          config.HOST,
          config.METRICS_PORT,
        )
      : undefined

  const close = async (graceSeconds = 20): Promise<void> => {
    await Promise.all([runner?.drain(graceSeconds), jobs?.drain()])
    await endHousekeeping?.()
    probes?.closeAllConnections()
    probes?.close()
    if (server) {
      const closed = new Promise((done) => server.close(done))
      if ('closeAllConnections' in server)
        setTimeout(() => server.closeAllConnections(), 1000).unref()
      await closed
    }
    await listener.close()
    await db.destroy()
    await own?.stop()
    await endTracing()
  }
  return { url: publicUrl, db, databaseUrl, close }
}
