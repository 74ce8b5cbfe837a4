import { createNodeWebSocket } from '@hono/node-ws'
import { Scalar } from '@scalar/hono-api-reference'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Hono } from 'hono'
import { sql } from 'kysely'
import type { Registry } from 'prom-client'
import { gate } from './auth/gate.ts'
import { keyRoutes } from './auth/routes.ts'
import type { PlannerCatalogue } from '../pipelines/planner.ts'
import type { Config } from './config.ts'
import { dataRoutes } from './data/routes.ts'
import { type Db, isPassing } from './database/database.ts'
import { briefDetail, HttpError } from './http/errors.ts'
import { groupRoutes } from './groups/routes.ts'
import { inferenceRepository } from './inference/repository.ts'
import { inferenceRoutes } from './inference/routes.ts'
import type { Listener } from './database/listener.ts'
import { apiMetrics } from './http/metrics.ts'
import { exportLogs } from './models/export-log.ts'
import { modelRoutes } from './models/routes.ts'
import { eventsOf, OpenStreams } from './notifications/events.ts'
import { notificationRoutes } from './notifications/routes.ts'
import { boundMessages, webSocketRoute } from './notifications/websocket.ts'
import { refuseLarge } from './http/body.ts'
import { corsFor } from './http/cors.ts'
import { openapi } from './http/openapi.ts'
import { watched } from './http/watched.ts'
import { pageRoutes } from './page/routes.ts'
import { processorRoutes } from './processors/routes.ts'
import type { Ctx, Vars } from './http/context.ts'
import { matcher, Router, status } from './http/routing.ts'
import { StoreError } from './storage/errors.ts'
import { FolderStore } from './storage/folder.ts'
import { fileRoutes } from './storage/routes.ts'
import type { Store } from './storage/store.ts'
import { logReader } from './tasks/log.ts'
import { taskRoutes } from './tasks/routes.ts'
import { tuneRoutes } from './tunes/routes.ts'
import { log } from './watch/log.ts'

export const VERSION = '2.0.0'

export interface AppDeps {
  readonly config: Config
  readonly db: Db
  readonly store: Store
  readonly catalogue: PlannerCatalogue
  readonly listener: Listener
  readonly publicUrl: () => string
  /** Metrics of a runner in the same process */
  readonly runs?: Registry
}

const answerError = (error: Error, c: Ctx): Response => {
  if (error instanceof HttpError)
    return c.json({ detail: briefDetail(error.detail) }, status(error.status), error.headers)
  if (error instanceof StoreError) {
    if (!error.passes) return c.json({ detail: `${error.code}: ${error.message}` }, 404)
    log.error({ request: c.get('request'), err: error }, `${c.req.method} ${c.req.path}`)
    c.header('Retry-After', '2')
    const detail = `${error.code}: ${error.message}; try again in a moment.`
    return c.json({ detail }, 503)
  }
  if (isPassing(error)) {
    c.header('Retry-After', '2')
    return c.json({ detail: 'The database is away; try again in a moment.' }, 503)
  }
  const { code, message } = error as { code?: string } & Error
  // Classes 22 and 54: a value that no column takes. What the schemas let through is still no fault.
  if (/^(22|54)[0-9A-Z]{3}$/.test(code ?? ''))
    return c.json({ detail: [{ type: 'value_error', loc: ['body'], msg: message }] }, 422)
  const id = c.get('request') ?? crypto.randomUUID()
  log.error({ request: id, err: error }, `Internal error: ${c.req.method} ${c.req.path}`)
  return c.json({ detail: `Internal error ${id}: the server's log says more.` }, 500)
}

/** The whole API on both mounts. */
export const createApp = (deps: AppDeps) => {
  const { config, db, store, listener } = deps
  const api = new Hono<Vars>({ strict: false })
  const authenticate = gate(config, db)
  const router = new Router(api, db, authenticate)
  const metrics = apiMetrics(db, deps.runs)

  // The guide's own script joins `…/v2/` and `/inference`, QGIS ends paths with a slash: one road.
  const getPath = (request: Request) =>
    new URL(request.url).pathname.replace(/\/{2,}/g, '/').replace(/(.)\/$/, '$1')
  const root = new Hono<Vars>({ getPath })
  const { injectWebSocket, upgradeWebSocket, wss } = createNodeWebSocket({ app: root })
  boundMessages(wss)
  root.use(watched)
  root.use(metrics.middleware)
  root.use(corsFor(config.CORS_ORIGINS))
  root.use(refuseLarge)

  const inferences = inferenceRepository(db, config)
  const events = eventsOf({ db, inferences, listener })
  const logs = logReader(db, store, listener)
  const all = {
    ...{ ...deps, inferences, events, logs, streams: new OpenStreams() },
    exportLogs: exportLogs(deps),
  }
  keyRoutes(router, db)
  modelRoutes(router, all)
  inferenceRoutes(router, all)
  taskRoutes(router, all)
  processorRoutes(router, all)
  tuneRoutes(router, all)
  dataRoutes(router, { store, config })
  notificationRoutes(router, all)
  groupRoutes(router, db, config)
  webSocketRoute(api, upgradeWebSocket, authenticate, all)
  if (store instanceof FolderStore) fileRoutes(api, store, config)

  pageRoutes(api, router, { config, version: VERSION, publicUrl: deps.publicUrl })

  let readyAt = 0
  api.get('/health/livez', (c) => c.json({ status: 'UP', version: VERSION }))
  api.get('/health/readyz', async (c) => {
    if (Date.now() - readyAt > 2000) {
      try {
        await sql`select 1`.execute(db)
        readyAt = Date.now()
      } catch {
        return c.json({ detail: { status: 'DOWN' } }, 503)
      }
    }
    return c.json({ status: 'UP' })
  })
  api.get('/metrics', async (c) =>
    c.text(await metrics.text(), 200, { 'Content-Type': metrics.type }),
  )
  const document = openapi(router.routes, VERSION)
  // The server is where the document was found: below /studio-gateway, or at the root.
  api.get('/openapi.json', (c) =>
    c.json({ ...document, servers: [{ url: c.req.path.replace(/openapi\.json$/, '') }] }),
  )
  const scalar = fileURLToPath(
    new URL('../node_modules/@scalar/api-reference/dist/browser/standalone.js', import.meta.url),
  )
  api.get('/docs/scalar.js', async (c) => {
    c.header('Content-Type', 'text/javascript')
    return c.body(await readFile(scalar))
  })
  // From this server, not from a CDN: works in a closed network.
  const page = { url: './openapi.json', cdn: './docs/scalar.js', pageTitle: 'geodag' }
  // Nothing that talks to somebody else's server: no assistant, no sharing, no telemetry.
  const own = { agent: { disabled: true }, showDeveloperTools: 'never', telemetry: false } as const
  api.get('/docs', Scalar({ ...page, ...own, withDefaultFonts: false }))

  const open = ['/health/livez', '/health/readyz', '/metrics', '/openapi.json', '/docs', '/']
  const known = [...router.routes, ...open.map((path) => ({ path, method: 'get' }))].map(
    ({ path, method }) => ({ pattern: matcher(path), method: method.toUpperCase() }),
  )
  const missing = (c: Ctx) => {
    const path = c.req.path.replace(/^\/studio-gateway(?=\/|$)/, '') || '/'
    const verbs = known.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)
    // A path that is known by this verb says itself what it does not know.
    if (verbs.length === 0 || verbs.includes(c.req.method))
      return c.json({ detail: 'Not Found' }, 404)
    c.header(
      'Allow',
      [...new Set([...verbs, ...(verbs.includes('GET') ? ['HEAD'] : [])])].join(', '),
    )
    return c.json({ detail: 'Method Not Allowed' }, 405)
  }
  api.onError(answerError)
  root.onError(answerError)
  root.route('/studio-gateway', api)
  root.route('/', api)
  root.notFound(missing)
  return { app: root, injectWebSocket, routes: router.routes, document }
}
