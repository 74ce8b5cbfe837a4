import { createServer, type Server } from 'node:http'
import { sql } from 'kysely'
import type { Registry } from 'prom-client'
import type { Db } from '../database/database.ts'
import { engineReachable } from './engine.ts'

/** What a runner is asked for by a kubelet and by Prometheus. */
export interface Watched {
  readonly db: Db
  readonly register: Registry
  /** Whether the loop that claims tasks still turns */
  readonly live: () => boolean
  readonly draining: () => boolean
  /** `_EXPERIMENTAL_DAGGER_RUNNER_HOST` */
  readonly engine: string | undefined
}

const withoutDatabase = async (db: Db): Promise<boolean> => {
  const late = new Promise<boolean>((done) => setTimeout(() => done(true), 3000).unref())
  const asked = sql`select 1`.execute(db).then(
    () => false,
    () => true,
  )
  return Promise.race([asked, late])
}

const readiness = async ({ db, engine, draining }: Watched): Promise<string[]> => {
  const [database, reachable] = await Promise.all([withoutDatabase(db), engineReachable(engine)])
  return [
    ...(draining() ? ['draining'] : []),
    ...(database ? ['no database'] : []),
    ...(reachable ? [] : ['no engine']),
  ]
}

/** `/metrics`, `/healthz` (the loop lives) and `/readyz` (database and engine answer) of a runner. */
export const serveRunner = (watched: Watched, host: string, port: number): Promise<Server> =>
  new Promise((done, failed) => {
    const server = createServer(async (request, response) => {
      const answer = (status: number, body: string, type = 'application/json') =>
        response.writeHead(status, { 'Content-Type': type }).end(body)
      const state = (why: string[]) =>
        answer(
          why.length ? 503 : 200,
          JSON.stringify(why.length ? { status: 'DOWN', why } : { status: 'UP' }),
        )
      try {
        const path = request.url?.split('?')[0]
        if (path === '/metrics')
          answer(200, await watched.register.metrics(), watched.register.contentType)
        else if (path === '/healthz') state(watched.live() ? [] : ['the loop stands still'])
        else if (path === '/readyz') state(await readiness(watched))
        else answer(404, '{"detail":"Not Found"}')
      } catch (error) {
        answer(500, JSON.stringify({ detail: String((error as Error).message) }))
      }
    })
    server.once('error', failed)
    server.listen(port, host, () => done(server))
  })
