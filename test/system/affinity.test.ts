import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { affinityOf, type Engines, forgetEngines, heartbeat } from '../../api/runs/engines.ts'
import { recorder } from '../../api/runs/record.ts'
import { type Client, type Service, sleep, startService, water } from '../support/api.ts'
import { dockerAddress, hangingAddress } from '../support/engine-address.ts'
import { LAKE } from '../support/scenes.ts'

const LIVE = ['engine-a', 'engine-b', 'engine-c']
let service: Service
let client: Client
let inference: string
beforeAll(async () => {
  service = await startService()
  client = await service.client((await service.launch('api')).url, 'affinity@example.org')
  const { body } = await client.post('/v2/inference', water('https://host.example.org/a.tif'))
  inference = body.id
})
afterAll(() => service.close())
beforeEach(async () => {
  await sql`delete from inf_task`.execute(service.db)
  await sql`delete from engine`.execute(service.db)
})

const recorderOf = (runner: string) =>
  recorder(service.db, {
    ...{ runner, leaseSeconds: 60, system: 'system@geodag.local' },
    ...{ maxAttempts: 3, maxDeaths: 4, retrySeconds: 0 },
  })
const engines = (own: string, live = LIVE, patience = 60): Engines => ({ own, live, patience })
let made = 0
const add = async (affinity: string | null, more: object = {}): Promise<string> => {
  const task_id = `task_${made++}`
  const row = { task_id, inference_id: inference, config: null, runner: null, affinity }
  const pipeline_steps = JSON.stringify([
    { process_id: 'url-connector', step_number: 0, status: 'READY' },
  ])
  await service.db
    .insertInto('inf_task')
    .values({ ...row, pipeline_steps, ...more })
    .execute()
  return task_id
}
/** Every task that an engine takes until it finds none. */
const drain = async (own: string, live = LIVE, patience = 60): Promise<string[]> => {
  const taken: string[] = []
  for (;;) {
    const task = await recorderOf(own).claim([], engines(own, live, patience))
    if (!task) return taken
    taken.push(task.task_id)
  }
}
const keyOf = (n: number) => affinityOf('tiny-water', `https://host.example.org/${n}.tif`)
const refill = async (count: number) => {
  await sql`delete from inf_task`.execute(service.db)
  const keys = new Map<string, number>()
  for (let n = 0; n < count; n++) keys.set(await add(keyOf(n)), n)
  return (ids: string[]) => ids.map((id) => keys.get(id)!)
}

test('one scene and model have one key, whatever signs the URL', () => {
  expect(affinityOf('m', 'https://h/a.tif?sig=1')).toBe(affinityOf('m', 'https://h/a.tif?sig=2'))
  const others = [affinityOf('n', 'https://h/a.tif'), affinityOf('m', 'https://h/b.tif')]
  expect(new Set([...others, affinityOf('m', 'https://h/a.tif')]).size).toBe(3)
})

test('engines share the keys; one that goes leaves only its own to the others', async () => {
  const scenes = await refill(60)
  const before = new Map<number, string>()
  for (const own of LIVE) for (const scene of scenes(await drain(own))) before.set(scene, own)
  expect(before.size).toBe(60)
  const counts = LIVE.map((id) => [...before.values()].filter((own) => own === id).length)
  expect(Math.min(...counts)).toBeGreaterThan(6)
  const again = await refill(60)
  const after = new Map<number, string>()
  const left = LIVE.slice(0, 2)
  for (const own of left) for (const scene of again(await drain(own, left))) after.set(scene, own)
  expect(after.size).toBe(60)
  for (const [scene, own] of before) if (left.includes(own)) expect(after.get(scene)).toBe(own)
})

test('tasks of one model and scene go to one engine, and no other takes them at once', async () => {
  const ids = [await add(keyOf(1)), await add(keyOf(1)), await add(keyOf(1))]
  const taken = []
  for (const own of LIVE) taken.push(await drain(own))
  expect(taken.filter((list) => list.length)).toEqual([ids])
})

test('after the wait any engine takes it, at once when its holder died; its own go first', async () => {
  const key = keyOf(2)
  await add(key)
  const owners: string[] = []
  for (const own of LIVE) if ((await drain(own)).length) owners.push(own)
  const other = LIVE.find((id) => id !== owners[0])!
  const [waited, died, fresh] = [await add(key), await add(key), await add(key)]
  const own = await add(null)
  await sql`update inf_task set updated_at = now() - interval '61 seconds'
    where task_id = ${waited}`.execute(service.db)
  await sql`update inf_task set lease_until = now() - interval '1 hour', runner = 'dead'
    where task_id = ${died}`.execute(service.db)
  const claimer = recorder(service.db, {
    ...{ runner: other, leaseSeconds: 1, system: 'system@geodag.local' },
    ...{ maxAttempts: 3, maxDeaths: 4, retrySeconds: 0 },
  })
  const order = []
  for (const _ of [1, 2, 3, 4]) order.push((await claimer.claim([], engines(other)))?.task_id)
  expect(order).toEqual([own, waited, died, undefined])
  expect(await drain(other, LIVE, 0)).toEqual([fresh])
})

test('the order of priorities stays, and with one engine that of the queue', async () => {
  const late = await add(keyOf(3), { priority: 6 })
  const first = await add(keyOf(4), { priority: 4 })
  const second = await add(keyOf(5), { priority: 4 })
  const one = recorderOf('one')
  const order = []
  for (const _ of [1, 2, 3]) order.push((await one.claim())?.task_id)
  expect(order).toEqual([first, second, late])
})

test('a claim reads past no paused task, with one engine or several', async () => {
  const id = await add(keyOf(6))
  await sql`insert into inf_task (task_id, inference_id, pipeline_steps, not_before, priority)
    select 'paused_' || n, ${inference}, '[]', now() + interval '1 hour', 1
    from generate_series(1, 3000) n`.execute(service.db)
  await sql`analyze inf_task`.execute(service.db)
  for (const some of [undefined, engines('engine-a', ['engine-a', 'engine-b'], 0)])
    await service.db.transaction().execute(async (trx) => {
      // Rows that this connection has read so far.
      const read = async () => {
        const { rows } = await sql<{ read: number }>`
          select (coalesce(idx_tup_fetch, 0) + seq_tup_read)::int as read
          from pg_stat_xact_user_tables where relname = 'inf_task'`.execute(trx)
        return rows[0]?.read ?? 0
      }
      const settings = { runner: 'one', leaseSeconds: 60, system: 'system@geodag.local' }
      const more = { maxAttempts: 3, maxDeaths: 4, retrySeconds: 0 }
      const before = await read()
      const task = await recorder(trx, { ...settings, ...more }).claim([], some)
      expect(task?.task_id).toBe(id)
      expect((await read()) - before).toBeLessThan(50)
      await sql`update inf_task set lease_until = null where task_id = ${id}`.execute(trx)
    })
})

test('many claim at once: every task is taken once', async () => {
  await refill(40)
  const lists = await Promise.all(
    [...LIVE, ...LIVE].map((own) => drain(own, LIVE, 0).catch(() => [])),
  )
  const all = lists.flat()
  expect(all).toHaveLength(40)
  expect(new Set(all).size).toBe(40)
})

test('an engine is live while one of its runners says so', async () => {
  const beat = (engine: string, runner: string, answers = true) =>
    heartbeat(service.db, engine, runner, { answers, seconds: 15 })
  await beat('engine-b', 'r2')
  await beat('engine-a', 'r1')
  expect(await beat('engine-a', 'r3')).toEqual(['engine-a', 'engine-b'])
  expect(await beat('engine-a', 'r1', false)).toEqual(['engine-a', 'engine-b'])
  expect(await beat('engine-a', 'r3', false)).toEqual(['engine-b'])
  await sql`update engine set seen_at = now() - interval '2 days'`.execute(service.db)
  expect(await beat('engine-c', 'r4')).toEqual(['engine-c'])
  await forgetEngines(service.db)
  const { rows } = await sql`select id from engine`.execute(service.db)
  expect(rows).toEqual([{ id: 'engine-c' }])
})

test('a planned task bears the key of its model and scene', async () => {
  const runner = await service.launch('runner', { ENGINE_ID: 'engine-p' })
  const { body } = await client.post('/v2/inference', water('https://host.example.org/k.tif?s=1'))
  for (;;) {
    const { rows } = await sql<{ affinity: string | null }>`select affinity from inf_task
      where inference_id = ${body.id} and not planning`.execute(service.db)
    if (rows.length) {
      expect(rows).toEqual([
        { affinity: affinityOf('tiny-water', 'https://host.example.org/k.tif') },
      ])
      break
    }
    await new Promise((done) => setTimeout(done, 100))
  }
  const { rows } = await sql<{ id: string }>`select distinct id from engine`.execute(service.db)
  expect(rows).toEqual([{ id: 'engine-p' }])
  await client.post(`/v2/inference/${body.id}/cancel`)
  await runner.end('SIGTERM')
  expect((await sql`select id from engine`.execute(service.db)).rows).toEqual([])
})

test.each([
  ['in a container, which has no socket to look at', dockerAddress],
  ['that hangs, whose socket takes connections', hangingAddress],
])(
  'an engine %s is counted out while it answers no session, and in when it does',
  async (_, at) => {
    const engine = at()
    const api = await service.launch('api')
    const other = setInterval(
      () =>
        void heartbeat(service.db, 'engine-o', 'of the test', { answers: true, seconds: 3 }).catch(
          () => undefined,
        ),
      500,
    )
    const live = async () =>
      (await sql<{ id: string }>`select id from engine order by id`.execute(service.db)).rows
        .map(({ id }) => id)
        .join()
    const runner = await service.launch('runner', {
      ...engine.env,
      ...{ ENGINE_ID: 'engine-d', ENGINE_TIMEOUT_SECONDS: '2', AFFINITY_SECONDS: '0' },
      PUBLIC_URL: api.url,
    })
    try {
      const user = await service.client(api.url, 'docker@example.org')
      const scene = await user.share(LAKE, 'lake.tif')
      while ((await live()) !== 'engine-d,engine-o') await sleep(50)
      const { body } = await user.post('/v2/inference', water(scene))
      // The try of its task finds no engine.
      while ((await live()) !== 'engine-o') await sleep(50)
      engine.up()
      while ((await live()) !== 'engine-d,engine-o') await sleep(50)
      const tried = async () =>
        (await user.tasks(body.id)).some(
          ({ task_id, status }) => /_0$/.test(task_id) && status === 'RUNNING',
        )
      while (!(await tried())) await sleep(50)
      await user.post(`/v2/inference/${body.id}/cancel`)
    } finally {
      clearInterval(other)
      await runner.end('SIGTERM')
      engine.close()
    }
  },
)
