import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Service, startService } from '../support/api.ts'
import { freePort } from '../support/services.ts'

let service: Service
let url: string
beforeAll(async () => {
  service = await startService()
  url = (await service.launch('api')).url
})
afterAll(() => service.close())

const values = async () => {
  const text = await (await fetch(`${url}/metrics`)).text()
  const of = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
  return [of('geodag_queue_depth'), of('geodag_oldest_ready_seconds')] as const
}

test('the queue is told by its depth and by the age of its oldest task', async () => {
  expect(await values()).toEqual([0, 0])
  const anna = await service.client(url, 'anna@example.org')
  const made = await anna.post('/v2/inference', {
    model_display_name: 'tiny-water',
    ...{ location: 'x', description: '', temporal_domain: ['2024-01-01'] },
    spatial_domain: { urls: ['https://host.example.org/a.tif'] },
  })
  expect(made.status).toBe(201)
  await sql`update inf_task set created_at = now() - interval '1 hour'`.execute(service.db)
  const [depth, age] = await values()
  expect(depth).toBe(1)
  expect(age).toBeGreaterThanOrEqual(3600)
  // One that has a runner, and one that pauses after a failure, wait for none.
  await sql`update inf_task set lease_until = now() + interval '1 hour'`.execute(service.db)
  expect(await values()).toEqual([0, 0])
  await sql`update inf_task set lease_until = null, not_before = now() + interval '1 hour'`.execute(
    service.db,
  )
  expect(await values()).toEqual([0, 0])
})

test('a runner tells how it is, and that its engine is away', async () => {
  const port = await freePort()
  const gone = await service.launch('runner', {
    METRICS_PORT: String(port),
    _EXPERIMENTAL_DAGGER_RUNNER_HOST: 'unix:///nowhere/engine.sock',
  })
  const at = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
  expect((await at('/healthz')).status).toBe(200)
  const ready = await at('/readyz')
  expect([ready.status, await ready.json()]).toEqual([503, { status: 'DOWN', why: ['no engine'] }])
  const metrics = await (await at('/metrics')).text()
  for (const name of ['geodag_runner_concurrency 2', 'process_resident_memory_bytes'])
    expect(metrics).toContain(name)
  expect((await at('/elsewhere')).status).toBe(404)
  await gone.end('SIGTERM')
})
