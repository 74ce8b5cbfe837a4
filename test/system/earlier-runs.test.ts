import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Client,
  type Process,
  type Service,
  sleep,
  startService,
  water,
} from '../support/api.ts'
import { lakeScene } from '../support/geotiff.ts'

const PURE = ['url-connector', 'onnx-inference', 'postprocess-generic']
const folder = mkdtempSync(join(tmpdir(), 'geodag-runs-'))
let service: Service
let api: Process
let runner: Process
let anna: Client
let scene: string
const share = (seed: number) => {
  writeFileSync(join(folder, 'lake.tif'), lakeScene(seed, 256))
  return anna.share(join(folder, 'lake.tif'), 'lake-of-runs.tif')
}
beforeAll(async () => {
  service = await startService()
  api = await service.launch('api')
  runner = await launch('engine-of-runs')
  anna = await service.client(api.url, 'anna@example.org')
  scene = await share(Date.now() % 1e6)
})
afterAll(() => service.close())

/** A runner whose engine is known to answer. */
const launch = async (ENGINE_ID: string): Promise<Process> => {
  const started = await service.launch('runner', { PUBLIC_URL: api.url, ENGINE_ID })
  for (;;) {
    const { rows } = await sql`select from engine where id = ${ENGINE_ID}`.execute(service.db)
    if (rows.length) return started
    await sleep(50)
  }
}

/** Of a dry run: step to how many tasks it ran before in, of those in which it may be cached. */
const before = async (more: object = {}, who = anna) => {
  const { body } = await who.post('/v2/inference/dry-run', water(scene, more))
  expect(body.plan.error).toBeNull()
  const { steps } = body.plan.earlier_runs as { steps: Record<string, any>[] }
  expect(steps.filter((step) => step.always_runs).map((step) => step.process_id)).toContain(
    'push-to-geoserver',
  )
  const pure = steps.filter((step) => !step.always_runs)
  for (const { seen_before, last_run_at } of pure)
    expect(last_run_at === null).toBe(seen_before === 0)
  return Object.fromEntries(pure.map((step) => [step.process_id, step.seen_before]))
}
const none = Object.fromEntries(PURE.map((name) => [name, 0]))
const all = Object.fromEntries(PURE.map((name) => [name, 1]))
const run = async () => {
  const { id } = (await anna.post('/v2/inference', water(scene))).body
  const { inference } = await anna.ended(id)
  expect(inference.status).toBe('COMPLETED')
  return id as string
}

test('a dry run says which steps ran before with the same call, and the engine has them', async () => {
  expect(await before()).toEqual(none)
  await run()
  expect(await before()).toEqual(all)
  // What it says is what then happens: the engine answers these from its cache.
  const id = await run()
  const lines = runner.output.split('\n').filter((line) => line.includes(id))
  const cached = lines.flatMap((line) => {
    const { step, cached } = JSON.parse(line) as { step?: string; cached?: boolean }
    return cached ? [step] : []
  })
  expect(cached).toEqual(PURE)
})

test('what is called with something else was not seen, nor what comes after it', async () => {
  expect(await before({ post_processing: { regularization: true } })).toEqual({
    ...all,
    'postprocess-generic': 0,
  })
  expect(await before({ temporal_domain: ['2020-01-01'] })).toEqual(none)
  const bob = await service.client(api.url, 'bob@example.org')
  expect(await before({}, bob), "another's runs are not told").toEqual(none)
})

test('a scene at a URL is fetched at each run', async () => {
  const { body } = await anna.post('/v2/inference/dry-run', water('https://host.example.org/a.tif'))
  const [first] = body.plan.earlier_runs.steps
  expect(first).toEqual({
    ...{ process_id: 'url-connector', always_runs: true, tasks: 1 },
    ...{ seen_before: 0, last_run_at: null },
  })
})

test('of an engine that does not answer, and of another one, nothing is said', async () => {
  expect(await before()).toEqual(all)
  await runner.end('SIGTERM')
  expect(await before()).toEqual(none)
  const another = await launch('engine-of-others')
  expect(await before()).toEqual(none)
  await another.end('SIGTERM')
  await launch('engine-of-runs')
  expect(await before()).toEqual(all)
})

test('a file that is uploaded anew under its name is another', async () => {
  scene = await share(8)
  expect(await before()).toEqual(none)
})
