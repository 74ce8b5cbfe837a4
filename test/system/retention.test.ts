import { sql } from 'kysely'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SharedLimiter } from '../../api/auth/shared-limit.ts'
import { readConfig } from '../../api/config.ts'
import { removeOld } from '../../api/retention.ts'
import { cleanUp } from '../../api/runs/janitor.ts'
import { FolderStore } from '../../api/storage/folder.ts'
import {
  type Client,
  type Process,
  SCRIPT,
  type Service,
  startService,
  water,
} from '../support/api.ts'

const SCENE = 'https://host.example.org/a.tif'
let service: Service
let api: Process
let anna: Client
let store: FolderStore
beforeAll(async () => {
  service = await startService()
  api = await service.launch('api')
  anna = await service.client(api.url, 'anna@example.org')
  const folder = join(service.settings.DATA_FOLDER!, 'objects')
  store = new FolderStore(folder, 'k'.repeat(32), () => '')
})
afterAll(() => service.close())

const count = async (table: string): Promise<number> => {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from ${sql.table(table)}`.execute(service.db)
  return rows[0]!.n
}
const age = (table: string, column: string, where = sql`true`) =>
  sql`update ${sql.table(table)} set ${sql.ref(column)} = now() - interval '31 days'
    where ${where}`.execute(service.db)

test('what is older than RETENTION_DAYS goes with its objects; what runs or is young stays', async () => {
  const run = async () => (await anna.post('/v2/inference', water(SCENE))).body.id as string
  const [runs, ended, deleted] = [await run(), await run(), await run()]
  const script = (await anna.processor(SCRIPT)).body
  const used = (await anna.processor(SCRIPT)).body
  await anna.post('/v2/inference', water(SCENE, { generic_processor_id: used.id }))
  await anna.post('/v2/groups', { name: 'g' }, { 'Idempotency-Key': 'k' })
  await anna.post(`/v2/inference/${ended}/cancel`)
  for (const id of [script.id, used.id]) await anna.call('DELETE', `/v2/generic-processor/${id}`)
  const model = (await anna.post('/v2/models', { display_name: 'old' })).body.id
  for (const path of [`inference/${deleted}`, `models/${model}`])
    expect((await anna.call('DELETE', `/v2/${path}`)).status).toBe(204)
  await service.db
    .insertInto('step_log')
    .values({ task_id: `${ended}-task_planning`, process_id: 'a', text: 'x' })
    .execute()
  const event = (event_id: string) => ({
    ...{ event_id, inference_id: event_id, detail: '{}', source: 'x', created_by: 'x' },
  })
  await service.db
    .insertInto('notification')
    .values([event(runs), event(ended)])
    .execute()

  // All of it is young: nothing goes.
  expect(await removeOld(service.db, store, 30)).toEqual({})
  for (const table of ['inf_inference', 'inf_model', 'inf_generic_processor', 'inf_task'])
    await age(table, 'updated_at')
  await age('notification', 'timestamp')
  await age('idempotency', 'created_at')
  // A runner's round says that all of a deleted run is gone: no runner is up here.
  await cleanUp({ db: service.db, store, config: readConfig(service.settings) })
  await age('inf_inference', 'updated_at')
  const key = `generic-processor/${script.processor_file_path}`
  expect(await store.size(key)).toBe(SCRIPT.length)
  const gone = await removeOld(service.db, store, 30)
  expect(gone).toMatchObject({
    ...{ logs: 1, idempotency_keys: 1, inferences: 1, processors: 1, models: 1 },
  })
  expect(await store.size(key)).toBeUndefined()
  // A script that an inference names stays, and so do events of what runs.
  expect(await store.size(`generic-processor/${used.processor_file_path}`)).toBe(SCRIPT.length)
  const { rows } = await sql<{ id: string }>`
    select distinct event_id as id from notification`.execute(service.db)
  expect(rows.map(({ id }) => id)).toEqual([runs])
  expect(await count('inf_inference')).toBe(3)
  expect((await anna.get(`/v2/inference/${ended}`)).status).toBe(200)
  expect(await removeOld(service.db, store, 30)).toEqual({})
})

test('a limit holds over two API processes, exactly, however they are asked', async () => {
  const env = { RATELIMIT_ENABLED: 'true', RATELIMIT_LIMIT: '10' }
  const both = [await service.launch('api', env), await service.launch('api', env)]
  const ask = (n: number) =>
    fetch(`${both[n % 2]!.url}/v2/groups`, { headers: { 'X-API-Key': anna.key } })
  const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => ask(n)))
  const statuses = answers.map(({ status }) => status)
  expect(statuses.filter((status) => status === 200)).toHaveLength(10)
  expect(statuses.filter((status) => status === 429)).toHaveLength(20)
  const left = answers
    .filter(({ status }) => status === 200)
    .map(({ headers }) => Number(headers.get('x-rate-limit-remaining')))
  expect(left.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  const late = await ask(1)
  expect([late.status, Number(late.headers.get('retry-after')) > 0]).toEqual([429, true])
  for (const one of both) await one.end('SIGTERM')
})

test('a window that is over weighs by what a sliding one still sees of it', async () => {
  const limiter = new SharedLimiter(service.db, 60)
  const times = async (n: number) => {
    const counted = await Promise.all(Array.from({ length: n }, () => limiter.count('k', 10)))
    return counted.filter(({ over }) => !over).length
  }
  const back = (seconds: number) =>
    sql`update rate_limit set began = began - make_interval(secs => ${seconds})
      where bucket = 'k'`.execute(service.db)
  expect(await times(25)).toBe(10)
  // 90 s after the window began half of its requests lie in the last 60 s.
  await back(90)
  expect(await times(25)).toBe(5)
  await back(120)
  expect(await times(25)).toBe(10)
})

test('while Postgres is away each process counts for itself', async () => {
  const away = {
    getExecutor: () => {
      throw new Error('Connection terminated')
    },
  }
  const limiter = new SharedLimiter(away as never, 60)
  const counted = await Promise.all(Array.from({ length: 5 }, () => limiter.count('k', 3)))
  expect(counted.map(({ over }) => over)).toEqual([false, false, false, true, true])
})
