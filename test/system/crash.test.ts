import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Client,
  type Process,
  type Service,
  sleep,
  sleepers,
  slow,
  startService,
  water,
} from '../support/api.ts'
import { lakeScene } from '../support/geotiff.ts'

let service: Service
let api: Process
let client: Client
const folder = mkdtempSync(join(tmpdir(), 'geodag-crash-'))
const objects = () => join(service.settings.DATA_FOLDER, 'objects')

beforeAll(async () => {
  service = await startService()
  api = await service.launch('api')
  client = await service.client(api.url, 'crash@example.org')
})
afterAll(async () => {
  await service.close()
  rmSync(folder, { recursive: true, force: true })
})

const runner = (more: Record<string, string> = {}) =>
  service.launch('runner', { PUBLIC_URL: api.url, ...more })
const share = (name: string): Promise<string> => {
  const path = join(folder, name)
  writeFileSync(path, lakeScene(name.length))
  return client.share(path, name)
}
const submit = async (scene: string, script: string, name: string): Promise<string> => {
  const { body } = await client.processor(script, name)
  const answer = await client.post('/v2/inference', water(scene, { generic_processor_id: body.id }))
  expect(answer.status, JSON.stringify(answer.body)).toBe(201)
  return answer.body.id
}
const steps = async (id: string): Promise<any[]> =>
  (await client.tasks(id)).find((task) => task.task_id.endsWith('task_0')).pipeline_steps
const sessionOf = (one: Process): number[] =>
  execFileSync('ps', ['-eo', 'pid=,ppid=,args='])
    .toString()
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s.*dagger\S* session/.exec(line))
    .flatMap((found) => (Number(found?.[2]) === one.child.pid ? [Number(found![1])] : []))

/** Kills the session of a runner each time that the script runs, so many times. */
const killSessions = async (one: Process, id: string, name: string, times: number) => {
  for (let n = 0; n < times; n++) {
    await client.until(id, () => sleepers(name).length > 0)
    for (const pid of sessionOf(one)) process.kill(pid, 'SIGKILL')
    await client.until(id, () => sleepers(name).length === 0)
  }
}

test('SIGKILL while a script runs, then the scene is gone: the script fails, what ended stays', async () => {
  const victim = await runner()
  const id = await submit(await share('gone.tif'), slow(60), 'gone_sleeper.py')
  const heard = () => service.db.selectFrom('step_log').selectAll().execute()
  while (!(await heard()).some(({ text }) => text.includes('tick'))) await sleep(100)
  const before = await steps(id)
  await victim.end('SIGKILL')
  const left = () => readdirSync(tmpdir()).filter((name) => name.includes(`-${victim.child.pid}-`))
  expect(left()).not.toEqual([])
  rmSync(join(objects(), 'temporary-uploads'), { recursive: true })
  const heir = await runner()
  const { inference } = await client.ended(id)
  const after = await steps(id)
  expect(after.slice(0, 2)).toEqual(before.slice(0, 2))
  const [failed, ...rest] = after.slice(2)
  expect([failed.process_id, failed.status]).toEqual(['generic-python-processor', 'FAILED'])
  expect(failed.error.code).toBe('source.status')
  expect(rest.map((step) => step.status)).toEqual(rest.map(() => 'STOPPED'))
  expect(inference).toMatchObject({
    status: 'FAILED',
    tasks_count_success: 3,
    tasks_count_failed: 1,
  })
  const { tasks_count_total: total, tasks_count_stopped: stopped } = inference
  expect(stopped + 4).toBe(total)
  // The folder of the run that was killed is swept, and what was heard of its script is its log.
  await expect.poll(left).toEqual([])
  const { body } = await client.get(`/v2/tasks/${id}-task_0/logs/generic-python-processor`)
  expect(await (await fetch(body.step_log_url)).text()).toContain('tick')
  expect(await heard()).toEqual([])
  await heir.end('SIGTERM')
})

test('four sessions die under a step that may fail twice: it completes, no try is counted', async () => {
  const one = await runner()
  const id = await submit(await share('storm.tif'), slow(10), 'storm_sleeper.py')
  await killSessions(one, id, 'storm_sleeper.py', 4)
  const { inference } = await client.ended(id)
  expect([inference.status, inference.inference_output]).toEqual(['COMPLETED', null])
  one.alive()
  await one.end('SIGTERM')
})

test('a step that always takes its session along ends with a code that says so', async () => {
  const one = await runner({ MAX_DEATHS: '1' })
  const id = await submit(await share('killer.tif'), slow(60), 'killer_sleeper.py')
  await killSessions(one, id, 'killer_sleeper.py', 2)
  const { inference } = await client.ended(id)
  expect(inference.status).toBe('FAILED')
  expect(inference.inference_output.errors).toMatchObject([
    { code: 'task.kills_runner', step: 'generic-python-processor' },
  ])
  await one.end('SIGTERM')
})

test('a store that cannot be written is waited for: no failure, and no path is told', async () => {
  const one = await runner()
  const scene = await share('away.tif')
  const id = await submit(scene, slow(10), 'away_sleeper.py')
  await client.until(id, () => sleepers('away_sleeper.py').length > 0)
  // What root can't write either: a file where the folder was.
  renameSync(join(objects(), id), join(objects(), `${id}.away`))
  writeFileSync(join(objects(), id), '')
  await expect
    .poll(async () => (await steps(id)).map(({ message }) => message ?? '').join('\n'))
    .toMatch(/^waiting: store\.unavailable: the object store does not work \(\w+\)$/m)
  rmSync(join(objects(), id))
  renameSync(join(objects(), `${id}.away`), join(objects(), id))
  const { inference } = await client.ended(id)
  expect([inference.status, inference.inference_output]).toEqual(['COMPLETED', null])
  const { status, body } = await client.get(`/v2/tasks/${id}-task_0/output`)
  expect([status, (await fetch(body.output_url)).status]).toEqual([200, 200])
  await one.end('SIGTERM')
})
