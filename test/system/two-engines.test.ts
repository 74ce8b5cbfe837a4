import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unzipSync } from 'fflate'
import { fromArrayBuffer } from 'geotiff'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { affinityOf } from '../../api/runs/engines.ts'
import { look, Watch } from '../chaos/invariants.ts'
import { type Client, type Process, type Service, sleep, startService } from '../support/api.ts'
import { lakeScene } from '../support/geotiff.ts'
import { LAKE_SIZE, lakeOverlap } from '../support/scenes.ts'
import { type SecondEngine, secondEngine } from '../support/second-engine.ts'

/** A has the machine's engine, which other tests use too; b is another one, of this test alone. */
const ENGINES = ['engine-a', 'engine-b'] as const
type Name = (typeof ENGINES)[number]

let service: Service
let api: Process
let client: Client
let second: SecondEngine
const engineOf = new Map<string, Name>()
const folder = mkdtempSync(join(tmpdir(), 'geodag-engines-'))

const runnerBeside = async (engine: Name, address?: string): Promise<void> => {
  const at = address === undefined ? {} : { _EXPERIMENTAL_DAGGER_RUNNER_HOST: address }
  const runner = await service.launch('runner', { ENGINE_ID: engine, PUBLIC_URL: api.url, ...at })
  engineOf.set(String(runner.child.pid), engine)
}

/** Until every runner has said twice more that its engine answers: each knows of all by then. */
const allKnown = async (): Promise<void> => {
  for (const _ of [1, 2]) {
    const { rows } = await sql<{ now: Date }>`select now()`.execute(service.db)
    const beats = () =>
      sql`select 1 from engine where seen_at > ${rows[0]!.now}`.execute(service.db)
    while ((await beats()).rows.length < engineOf.size) await sleep(50)
  }
}

beforeAll(async () => {
  second = secondEngine()
  await second.start()
  service = await startService({
    // So long that an engine takes another's tasks only where that one is away.
    AFFINITY_SECONDS: '3600',
    // On a loaded machine a runner may stand still for some seconds: its engine is not away then.
    LEASE_SECONDS: '15',
    RUNNER_CONCURRENCY: '2',
  })
  api = await service.launch('api')
  client = await service.client(api.url, 'engines@example.org')
  await runnerBeside('engine-a')
  await runnerBeside('engine-a')
  await runnerBeside('engine-b', second.address)
  await allKnown()
})
afterAll(async () => {
  await service?.close()
  await second?.remove()
  rmSync(folder, { recursive: true, force: true })
})

/** Distinct values of a pattern in the second engine's own log. */
const logged = (pattern: RegExp): number =>
  new Set([...second.log().matchAll(pattern)].map(([, value]) => value)).size
/** Sessions that it served, and steps' programs that it ran. */
const record = () => ({
  sessions: logged(/ session_id=(\w+)/g),
  programs: logged(/container done" args="\[\S+ python3 \/program\/main.py .* id=(\w+)/g),
})

/** The largest of Postgres' hashes of key and id wins. */
const winnerOf = async (affinity: string): Promise<Name> => {
  const { rows } = await sql<{ name: Name }>`
    select name from unnest(${[...ENGINES]}::text[]) name
    order by hashtextextended(${affinity} || ' ' || name, 0) desc limit 1`.execute(service.db)
  return rows[0]!.name
}
let seed = 0
/** So many scenes, each another one, of which an engine has the model's tasks. */
const scenesOf = async (engine: Name, model: string, count: number): Promise<string[]> => {
  const found: string[] = []
  const path = join(folder, 'lake.tif')
  while (found.length < count) {
    writeFileSync(path, lakeScene(++seed, LAKE_SIZE))
    const url = await client.share(path, `lake-${seed}.tif`)
    if ((await winnerOf(affinityOf(model, url))) === engine) found.push(url)
  }
  return found
}
const submit = async (model: string, urls: string[]): Promise<string> => {
  const { status, body } = await client.post('/v2/inference', {
    ...{ model_display_name: model, location: 'Lake' },
    ...{ spatial_domain: { urls }, temporal_domain: ['2019-09-18'] },
  })
  expect(status, JSON.stringify(body)).toBe(201)
  return body.id
}

interface Work {
  task_id: string
  engine: Name | undefined
  status: string
  steps: { process_id: string; status: string; error?: unknown }[]
}
/** What our own tables say of an inference's tasks, without its planning. */
const tasksOf = async (id: string): Promise<Work[]> => {
  const { rows } = await sql<{ runner: string | null } & Omit<Work, 'engine'>>`
    select task_id, runner, status, pipeline_steps as steps from inf_task
    where inference_id = ${id} and not planning order by id`.execute(service.db)
  return rows.map(({ runner, ...row }) => ({
    ...row,
    engine: engineOf.get(runner?.split('-').at(-1) ?? ''),
  }))
}
const completed = async (id: string): Promise<Work[]> => {
  const ends = (one: { status: string }) => /COMPLETED|FAILED|STOPPED/.test(one.status)
  const { inference } = await client.until(id, ends, 800)
  expect(inference.status, JSON.stringify(inference.inference_output)).toBe('COMPLETED')
  return tasksOf(id)
}
/** The names of a task's files; its prediction is read, and the lake is where it was put. */
const filesOf = async (task: string): Promise<string[]> => {
  const { body } = await client.get(`/v2/tasks/${task}/output`)
  const answer = await fetch(body.output_url)
  expect(answer.status, task).toBe(200)
  const files = unzipSync(new Uint8Array(await answer.arrayBuffer()))
  const name = Object.keys(files).find((one) => one.endsWith('_pred.tif'))!
  const image = await (await fromArrayBuffer(files[name]!.slice().buffer)).getImage()
  const [pixels] = (await image.readRasters()) as unknown as Int16Array[]
  const overlap = lakeOverlap((row, column) => pixels![row * LAKE_SIZE + column] === 1)
  expect(overlap, task).toBeGreaterThan(0.9)
  return Object.keys(files).map((one) => one.replace(/^(2019-09-18_)?lake-\d+/, 'lake'))
}

let files: string[]
test('tasks of one model and scene go to one engine, as that engine itself has recorded', async () => {
  const before = record()
  for (const scene of await scenesOf('engine-a', 'tiny-water', 2))
    expect(await completed(await submit('tiny-water', [scene]))).toMatchObject([
      { engine: 'engine-a', status: 'FINISHED' },
    ])
  expect(record()).toEqual(before)
  const [one, other] = await scenesOf('engine-b', 'tiny-water', 2)
  const programs: number[] = []
  for (const scene of [one!, other!, one!]) {
    const [task, ...more] = await completed(await submit('tiny-water', [scene]))
    expect([task, more]).toMatchObject([{ engine: 'engine-b', status: 'FINISHED' }, []])
    programs.push(record().programs - before.programs)
    files ??= await filesOf(task!.task_id)
  }
  expect(record().sessions - before.sessions).toBeGreaterThanOrEqual(3)
  const [first, both, again] = programs as [number, number, number]
  expect(first).toBeGreaterThan(1)
  // The scene that it knows: its steps are answered out of its cache, but those that never are.
  expect(again - both).toBeLessThan(both - first)
})

/** The same model, made slow by windows that overlap nearly wholly. */
const slowModel = async (): Promise<string> => {
  const [shipped] = (await client.get('/v2/models?internal_name=tiny-water')).body.results
  const inference = { ...shipped.inference, overlap: 60 }
  const more = { display_name: 'slow-water', inference }
  expect((await client.post('/v2/models', { ...shipped, ...more })).status).toBe(201)
  return 'slow-water'
}
const modelOf = ({ steps }: Work): string =>
  steps.find(({ process_id }) => process_id === 'onnx-inference')!.status

test('an engine that is killed under load loses nothing: the other ends what it had begun', async () => {
  const model = await slowModel()
  const scenes = await scenesOf('engine-b', model, 4)
  const ids = [await submit(model, scenes.slice(0, 3)), await submit(model, scenes.slice(3))]
  const all = async () => (await Promise.all(ids.map(tasksOf))).flat()
  let before = await all()
  const running = () =>
    before.filter(({ engine, status }) => engine === 'engine-b' && status === 'RUNNING')
  while (
    before.length < 4 ||
    running().length < 2 ||
    !running().some((task) => modelOf(task) === 'RUNNING')
  ) {
    expect(before.filter(({ status }) => status === 'FINISHED').length).toBeLessThan(3)
    await sleep(20)
    before = await all()
  }
  second.kill()
  const killed = Date.now()
  const watch = new Watch()
  while (!(await all()).some(({ engine }) => engine === 'engine-a')) {
    watch.take(await look(service.db), new Map())
    await sleep(50)
  }
  console.log(`geodag: the other engine's first task ${Date.now() - killed} ms after the kill`)
  for (const id of ids) await completed(id)
  const rows = await look(service.db)
  watch.take(rows, new Map())
  expect([...watch.violations]).toEqual([])
  const after = await all()
  const asked = [0, 1, 2].map((n) => `${ids[0]}-task_${n}`).concat(`${ids[1]}-task_0`)
  expect(after.map(({ task_id }) => task_id)).toEqual(asked)
  expect(rows.filter(({ id }) => ids.includes(id)).map(({ failed }) => failed)).toEqual([0, 0])
  for (const { task_id, engine, status, steps } of after) {
    const was = before.find((one) => one.task_id === task_id)!
    // What had ended is as it was; what had not ended, ended on the other engine.
    for (const [n, step] of was.steps.entries())
      if (step.status === 'FINISHED') expect(steps[n], task_id).toEqual(step)
    if (modelOf(was) !== 'FINISHED') expect(engine, task_id).toBe('engine-a')
    expect(status).toBe('FINISHED')
    for (const step of steps) expect(step, task_id).toMatchObject({ status: 'FINISHED' })
    for (const step of steps) expect(step, task_id).not.toHaveProperty('error')
    expect(await filesOf(task_id)).toEqual(files)
  }
  const { rows: live } = await sql`select distinct id from engine`.execute(service.db)
  expect(live).toEqual([{ id: 'engine-a' }])
})

test('an engine that is back takes its own tasks again', async () => {
  await second.start()
  await allKnown()
  const { sessions } = record()
  const [scene] = await scenesOf('engine-b', 'tiny-water', 1)
  const id = await submit('tiny-water', [scene!])
  let tasks: Work[] = []
  while (!tasks[0]?.engine) {
    await sleep(50)
    tasks = await tasksOf(id)
  }
  expect(tasks).toMatchObject([{ engine: 'engine-b' }])
  // Its images went with its cache: that it runs is enough.
  while (record().sessions === sessions) await sleep(50)
  await client.post(`/v2/inference/${id}/cancel`)
  const { inference } = await client.ended(id)
  expect(inference.status).toBe('STOPPED')
})

test('nothing is left of an engine that is removed', async () => {
  const { address } = second
  await second.remove()
  const mounts = readFileSync('/proc/mounts', 'utf8')
  expect(mounts).not.toContain(address.split('/').at(-2))
})
