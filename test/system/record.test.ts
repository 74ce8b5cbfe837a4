import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig } from '../../api/config.ts'
import { cleanUp } from '../../api/runs/janitor.ts'
import { ModelJobs } from '../../api/runs/model-jobs.ts'
import { LostLease, recorder, type TaskRow } from '../../api/runs/record.ts'
import { FolderStore } from '../../api/storage/folder.ts'
import { logKey } from '../../api/storage/keys.ts'
import { type Client, type Service, startService, water } from '../support/api.ts'

const SYSTEM = 'system@geodag.local'
const STEPS = ['url-connector', 'onnx-inference', 'postprocess-generic']
const WHY = { code: 'source.unreachable', message: 'no answer' }
let service: Service
let client: Client
beforeAll(async () => {
  service = await startService()
  client = await service.client((await service.launch('api')).url, 'record@example.org')
})
afterAll(() => service.close())

const recorderOf = (runner: string, leaseSeconds = 60) =>
  recorder(service.db, {
    ...{ runner, leaseSeconds, system: SYSTEM },
    ...{ maxAttempts: 3, maxDeaths: 4, retrySeconds: 0 },
  })

/** An inference with one task of three steps, claimed by nobody yet. */
const planned = async () => {
  const { id } = (await client.post('/v2/inference', water('https://host.example.org/a.tif'))).body
  const record = recorderOf('planner')
  const planning = await record.claim()
  await record.started(planning!, 0, 'planning')
  const pipeline_steps = STEPS.map((process_id, step_number) => ({
    ...{ process_id, step_number, status: step_number ? 'WAITING' : 'READY' },
  }))
  const task_id = `${id}-task_0`
  await record.finished(
    planning!,
    0,
    {},
    {
      then: async (trx) => {
        const row = { task_id, inference_id: id, config: null, runner: null }
        await trx
          .insertInto('inf_task')
          .values({ ...row, pipeline_steps: JSON.stringify(pipeline_steps) })
          .execute()
      },
    },
  )
  return { id, task_id }
}
const rowOf = (task_id: string): Promise<TaskRow> =>
  service.db
    .selectFrom('inf_task')
    .selectAll()
    .where('task_id', '=', task_id)
    .executeTakeFirstOrThrow()
/** The holder of a task is killed: its lease ends. The server itself has been up for long. */
const die = (task_id: string) =>
  sql`update inf_task set lease_until = now() - interval '1 hour' where task_id = ${task_id}`.execute(
    service.db,
  )
/** A claim by a runner whose lease is so short that the server's own start is long ago. */
const claim = async (name: string): Promise<TaskRow> => {
  for (;;) {
    const task = await recorderOf(name, 1).claim()
    if (task) return task
    await new Promise((done) => setTimeout(done, 200))
  }
}

test('a failure before the step began is its own: what ended stays, what is left is STOPPED', async () => {
  const { id, task_id } = await planned()
  const first = recorderOf('first')
  const task = (await first.claim())!
  for (const number of [0, 1]) {
    await first.started(task, number, 'runs')
    if (number === 0) await first.finished(task, 0, {})
  }
  const ended = (await rowOf(task_id)).pipeline_steps[0]
  await die(task_id)
  const heir = await claim('second')
  // What a runner that knows of no step would say: the first.
  await recorderOf('second').failed(heir, 0, { code: 'source.status', message: 'gone' })
  const { pipeline_steps: steps, status } = await rowOf(task_id)
  expect(steps[0]).toEqual(ended)
  expect(steps.map((step) => step.status)).toEqual(['FINISHED', 'FAILED', 'STOPPED'])
  expect([status, steps[1]!.error?.code]).toEqual(['FAILED', 'source.status'])
  const { body } = await client.get(`/v2/inference/${id}`)
  expect(body).toMatchObject({
    status: 'FAILED',
    tasks_count_total: 4,
    tasks_count_success: 2,
    tasks_count_failed: 1,
    tasks_count_stopped: 1,
    tasks_count_waiting: 0,
  })
  expect(body.inference_output.errors).toMatchObject([{ step: 'onnx-inference' }])
  await expect(first.finished(task, 1, {})).rejects.toThrow(LostLease)
})

test('deaths of runners are no tries of the step; a step that finished starts both anew', async () => {
  const { task_id } = await planned()
  let task = (await recorderOf('one').claim())!
  for (const name of ['two', 'three', 'four']) {
    await die(task_id)
    task = await claim(name)
  }
  expect(task).toMatchObject({ attempt: 4, failures: 0, deaths: 3 })
  const record = recorderOf('four', 1)
  // The first try that fails, though the task was claimed four times.
  expect(await record.retry(task, 0, WHY)).toBe(true)
  task = await claim('four')
  expect(task).toMatchObject({ failures: 1, deaths: 3 })
  await record.started(task, 0, 'runs')
  await record.finished(task, 0, {})
  expect(await rowOf(task_id)).toMatchObject({ failures: 0, deaths: 0 })
  for (const tried of [true, true, false]) {
    expect(await record.retry(task, 1, WHY)).toBe(tried)
    if (tried) task = await claim('four')
  }
  await record.failed(task, 1, WHY)
})

test('a session that dies under a step is bounded like a death, and is no try', async () => {
  const { task_id } = await planned()
  const record = recorderOf('one', 1)
  let task = await claim('one')
  for (let deaths = 1; deaths <= 4; deaths++) {
    expect(await record.bereft(task, 0, WHY)).toBe(true)
    task = await claim('one')
    expect(task).toMatchObject({ deaths, failures: 0, task_id })
  }
  expect(await record.bereft(task, 0, WHY)).toBe(false)
  await record.failed(task, 0, WHY)
})

test('a runner does not take from itself what it still runs', async () => {
  const { task_id } = await planned()
  const task = await claim('one')
  await die(task_id)
  expect(await recorderOf('one', 1).claim([task.id])).toBeUndefined()
  const again = await claim('one')
  // Its own: Postgres was away for longer than the lease, and nobody died.
  expect([again.task_id, again.deaths]).toEqual([task_id, 0])
  await recorderOf('one').failed(again, 0, WHY)
})

test('log rows that a crash left go to the store, those of a deleted inference go', async () => {
  const { id, task_id } = await planned()
  const store = new FolderStore(`${service.settings.DATA_FOLDER}/objects`, 'k'.repeat(64), () => '')
  const heard = (process_id: string, text: string) =>
    service.db.insertInto('step_log').values({ task_id, process_id, text }).execute()
  const count = async () =>
    (await service.db.selectFrom('step_log').select('seq').where('task_id', '=', task_id).execute())
      .length
  const clean = async () => {
    await sql`update inf_task set updated_at = now() - interval '1 hour'`.execute(service.db)
    await cleanUp({ db: service.db, store, config: readConfig(service.settings) })
  }
  await heard('url-connector', 'tick 1\n')
  await heard('url-connector', 'tick 2\n')
  await clean()
  expect(await count()).toBe(2) // the task has not ended
  await client.post(`/v2/inference/${id}/cancel`)
  await clean()
  expect(await count()).toBe(0)
  const text = (await store.get(logKey(id, task_id, 'url-connector'))).toString()
  expect(text).toMatch(/Task ID: .*\nCommand: url-connector\ntick 1\ntick 2\n$/)
  await heard('onnx-inference', 'left\n')
  expect((await client.call('DELETE', `/v2/inference/${id}`)).status).toBe(204)
  expect([await count(), await store.size(logKey(id, task_id, 'url-connector'))]).toEqual([
    0,
    undefined,
  ])
})

test('a runner that was killed between the end and the log: the last try, not the one before', async () => {
  const { id, task_id } = await planned()
  const store = new FolderStore(`${service.settings.DATA_FOLDER}/objects`, 'k'.repeat(64), () => '')
  const [step, other] = ['url-connector', 'onnx-inference']
  const object = (name: string) => logKey(id, task_id, name)
  const heard = (process_id: string, text: string) =>
    service.db.insertInto('step_log').values({ task_id, process_id, text }).execute()
  // One step's object is of an earlier try, the other's of the try whose lines were heard too.
  await store.put(object(step!), 'Task ID: a\nfirst try\nReturn code: 1\n')
  await store.put(object(other!), 'Task ID: a\nbegins\nall of it\nReturn code: 0\n')
  await heard(step!, 'second try\nstep.timeout: took too long\n')
  await heard(other!, 'all of it\n')
  await client.post(`/v2/inference/${id}/cancel`)
  await sql`update inf_task set updated_at = now() - interval '1 hour'`.execute(service.db)
  await cleanUp({ db: service.db, store, config: readConfig(service.settings) })
  expect((await store.get(object(step!))).toString()).toContain('step.timeout: took too long\n')
  expect((await store.get(object(other!))).toString()).toContain('begins\nall of it\n')
})

test('a job of a model whose runners died is no failure of the job, but it ends by itself', async () => {
  const { body } = await client.post('/v2/upload-completed-tunes', {
    ...{ name: 'deaths', description: 'd', tune_config_url: 'https://host.example.org/c.yaml' },
    ...{ tune_checkpoint_url: 'https://host.example.org/c.ckpt', model_input_data_spec: [] },
  })
  const id: string = body.tune_id
  await sql`update model_job set deaths = 4, lease_until = now() - interval '1 hour'
    where tune_id = ${id}`.execute(service.db)
  const config = { ...readConfig(service.settings), MAX_DEATHS: 4 }
  const store = new FolderStore(`${config.dataFolder}/objects`, 'k'.repeat(64), () => '')
  const listener = { on: () => undefined, off: () => undefined } as never
  const jobs = new ModelJobs({ db: service.db, config, store, catalogue: {} as never }, listener)
  jobs.start()
  const tune = () =>
    service.db.selectFrom('tune').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  await expect.poll(async () => (await tune()).status).toBe('Failed')
  await jobs.drain()
  expect((await tune()).error).toMatchObject({ code: 'task.kills_runner' })
  const job = await sql<{ deaths: number; failures: number }>`
    select deaths, failures from model_job where tune_id = ${id}`.execute(service.db)
  expect(job.rows).toEqual([{ deaths: 5, failures: 0 }])
})

test('what a runner still wrote while its inference was deleted goes, though it was killed', async () => {
  const { id, task_id } = await planned()
  const store = new FolderStore(`${service.settings.DATA_FOLDER}/objects`, 'k'.repeat(64), () => '')
  expect((await client.call('DELETE', `/v2/inference/${id}`)).status).toBe(204)
  await store.put(`${id}/${task_id}/late.tif`, 'text')
  await sql`update inf_inference set updated_at = now() - interval '1 hour'
    where id = ${id}`.execute(service.db)
  await cleanUp({ db: service.db, store, config: readConfig(service.settings) })
  expect(await store.size(`${id}/${task_id}/late.tif`)).toBeUndefined()
})

test('what a deleted inference made goes later where the store was away', async () => {
  const { id } = await planned()
  const folder = `${service.settings.DATA_FOLDER}/objects`
  const store = new FolderStore(folder, 'k'.repeat(64), () => '')
  await store.put(`${id}/a.txt`, 'text')
  await sql`update inf_inference set deleted = true, updated_at = now() - interval '1 hour'
    where id = ${id}`.execute(service.db)
  await cleanUp({ db: service.db, store, config: readConfig(service.settings) })
  expect(await store.size(`${id}/a.txt`)).toBeUndefined()
  const { purged } = await service.db
    .selectFrom('inf_inference')
    .select('purged')
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  expect(purged).toBe(true)
})
