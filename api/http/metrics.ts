import type { MiddlewareHandler } from 'hono'
import { sql } from 'kysely'
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Db } from '../database/database.ts'
import type { Vars } from './context.ts'

/** What any runner may claim now, and since when the oldest of it may be. */
const WAITING = sql<{ depth: string; age: string }>`
  select count(*) as depth,
    coalesce(extract(epoch from now() - min(greatest(created_at, coalesce(not_before, created_at)))), 0) as age
  from inf_task
  where status in ('READY', 'RUNNING') and (lease_until is null or lease_until < now())
    and (not_before is null or not_before <= now())`

/** The queue as every API process sees it, from the database: what runners are scaled by. */
const queueMetrics = (db: Db, registers: Registry[]) => {
  const asked = (name: string, help: string, column: 'depth' | 'age') =>
    new Gauge({
      ...{ name, help, registers },
      async collect() {
        // A database that is away is no empty queue: then there is no number.
        const { rows } = await WAITING.execute(db).catch(() => ({ rows: [] }))
        this.set(Number(rows[0]?.[column] ?? NaN))
      },
    })
  asked('geodag_queue_depth', 'Tasks that wait for a runner', 'depth')
  asked('geodag_oldest_ready_seconds', 'Age of the oldest that waits; 0 where none does', 'age')
}

/** Prometheus: requests by route and status, tasks by status. */
export const apiMetrics = (db: Db, runs?: Registry) => {
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
  queueMetrics(db, [register])
  const middleware: MiddlewareHandler<Vars> = async (c, next) => {
    const end = requests.startTimer()
    await next()
    end({ method: c.req.method, route: c.get('pattern') ?? 'other', status: c.res.status })
  }
  const all = Registry.merge([register, ...(runs ? [runs] : [])])
  return { middleware, text: () => all.metrics(), type: register.contentType }
}
