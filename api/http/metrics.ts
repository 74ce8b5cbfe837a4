import type { MiddlewareHandler } from 'hono'
import { sql } from 'kysely'
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Db } from '../database/database.ts'
import type { Vars } from './context.ts'

/** Prometheus: requests by route and status, tasks by status. */
export const apiMetrics = (db: Db) => {
  const register = new Registry()
  collectDefaultMetrics({ register })
  const requests = new Histogram({
    name: 'geodag_http_request_duration_seconds',
    help: 'Answers by method, route and status',
    labelNames: ['method', 'route', 'status'],
    registers: [register],
  })
  new Gauge({
    name: 'geodag_tasks',
    help: 'Tasks by status',
    labelNames: ['status'],
    registers: [register],
    async collect() {
      const { rows } = await sql<{ status: string; count: string }>`
        select status, count(*) from inf_task group by status`
        .execute(db)
        .catch(() => ({ rows: [] }))
      this.reset()
      for (const { status, count } of rows) this.set({ status }, Number(count))
    },
  })
  const middleware: MiddlewareHandler<Vars> = async (c, next) => {
    const end = requests.startTimer()
    await next()
    end({ method: c.req.method, route: c.get('pattern') ?? 'other', status: c.res.status })
  }
  return { middleware, text: () => register.metrics(), type: register.contentType }
}
