import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { recorder } from '../../api/runs/record.ts'
import { lockInference, recountOpen, taskMoved } from '../../api/inference/counts.ts'
import { addError } from '../../api/inference/events.ts'
import { type Client, type Service, startService, water } from '../support/api.ts'

const SYSTEM = 'system@geodag.local'
const STEPS = ['url-connector', 'onnx-inference', 'postprocess-generic']
let service: Service
let anna: Client

beforeAll(async () => {
  service = await startService()
  const api = await service.launch('api')
  anna = await service.client(api.url, 'anna@example.org')
})
afterAll(() => service.close())

const options = {
  runner: 'r',
  leaseSeconds: 60,
  system: SYSTEM,
  maxAttempts: 3,
  maxDeaths: 12,
  retrySeconds: 1,
}

/** An inference whose planner wrote `count` tasks, as a runner does it. */
const planned = async (count: number) => {
  const { id } = (await anna.post('/v2/inference', water('https://host.example.org/a.tif'))).body
  const record = recorder(service.db, options)
  const planning = await record.claim()
  await record.started(planning!, 0, 'planning')
  const steps = STEPS.map((process_id, step_number) => ({
    ...{ process_id, step_number, status: step_number ? 'WAITING' : 'READY' },
  }))
  const rows = Array.from({ length: count }, (_, n) => ({
    ...{ task_id: `${id}-task_${n}`, inference_id: id, runner: null },
    ...{ config: '{}', inference_folder: id, pipeline_steps: JSON.stringify(steps) },
  }))
  const then = async (trx: typeof service.db) => {
    for (let at = 0; at < count; at += 500)
      await trx
        .insertInto('inf_task')
        .values(rows.slice(at, at + 500))
        .execute()
  }
  await record.finished(planning!, 0, {}, { then })
  return { id: id as string, record }
}
const numbers = async (id: string) => {
  const { status, ...all } = (await anna.get(`/v2/inference/${id}`)).body
  const counts = ['total', 'success', 'failed', 'stopped', 'waiting']
  return [status, ...counts.map((name) => all[`tasks_count_${name}`])]
}

test('counts follow every step without a look at other tasks, and the end is counted anew', async () => {
  const { id, record } = await planned(2)
  expect(await numbers(id)).toEqual(['RUNNING', 7, 1, 0, 0, 6])
  const one = (await record.claim())!
  await record.started(one, 0, 'fetching')
  expect(await numbers(id)).toEqual(['RUNNING', 7, 1, 0, 0, 5])
  await record.finished(one, 0, {})
  expect(await numbers(id)).toEqual(['RUNNING', 7, 2, 0, 0, 5])
  await record.failed(one, 1, { code: 'x', message: 'x' })
  expect(await numbers(id)).toEqual(['RUNNING', 7, 2, 1, 1, 3])
  const two = (await record.claim())!
  for (const n of [0, 1, 2]) await record.finished(two, n, {})
  expect(await numbers(id)).toEqual(['COMPLETED_WITH_ERRORS', 7, 5, 1, 1, 0])
})

test('counts that went wrong are put right by the recount that the API makes now and then', async () => {
  const { id } = await planned(3)
  await service.db
    .updateTable('inf_inference')
    .set({
      tasks_count_success: 99,
      work_finished: 2,
      updated_at: sql`now() - interval '2 minutes'`,
    })
    .where('id', '=', id)
    .execute()
  expect(await recountOpen(service.db, SYSTEM)).toEqual([id])
  expect(await numbers(id)).toEqual(['RUNNING', 10, 1, 0, 0, 9])
  expect((await anna.post(`/v2/inference/${id}/cancel`)).status).toBe(202)
  expect(await numbers(id)).toEqual(['STOPPED', 10, 1, 0, 9, 0])
  const [, task] = await anna.tasks(id)
  expect(task.pipeline_steps[0]).toEqual({
    ...{ status: 'STOPPED', process_id: 'url-connector', step_number: 0 },
  })
})

test("a step's change reads no row of the other tasks, however many there are", async () => {
  const { id } = await planned(500)
  const steps = (status: string) => ({ planning: false, status, steps: [{ status }] })
  const read = await service.db.transaction().execute(async (trx) => {
    const rows = async () => {
      const { rows } = await sql<{ rows: string }>`
        select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) as rows
        from pg_stat_xact_user_tables where relname = 'inf_task'`.execute(trx)
      return Number(rows[0]!.rows)
    }
    const before = await rows()
    await lockInference(trx, id)
    await taskMoved(trx, id, steps('READY'), steps('RUNNING'), SYSTEM)
    return (await rows()) - before
  })
  expect(read).toBe(0)
})

test('of many failures a hundred are kept and the rest is counted', async () => {
  const { id } = (await anna.post('/v2/inference', water('https://host.example.org/a.tif'))).body
  for (let n = 0; n < 105; n++) await addError(service.db, id, { code: 'x', message: `${n}` })
  const { inference_output } = (await anna.get(`/v2/inference/${id}`)).body
  expect([inference_output.errors.length, inference_output.errors_omitted]).toEqual([100, 5])
})
