import { afterAll, beforeAll, expect, test } from 'vitest'
import { publish } from '../../api/inference/events.ts'
import { type Client, type Service, startService, water } from '../support/api.ts'

const SCENE = 'https://host.example.org/a.tif'
let service: Service
let anna: Client
beforeAll(async () => {
  service = await startService()
  anna = await service.client((await service.launch('api')).url, 'anna@example.org')
})
afterAll(() => service.close())

/** All entries of a list by cursors, a page at a time; `between` is done after the first page. */
const walk = async (path: string, key: string, between?: () => Promise<unknown>) => {
  const pages: any[][] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const { status, body } = await anna.get(`${path}?limit=2&cursor=${cursor}`)
    expect(status, JSON.stringify(body)).toBe(200)
    pages.push(body[key])
    cursor = body.next_cursor
    if (pages.length === 1) await between?.()
    if (pages.length > 20) throw new Error('no end')
  }
  return pages
}
const submit = async () => (await anna.post('/v2/inference', water(SCENE))).body.id as string

test('inferences: each once, though one comes in between and two are as old as each other', async () => {
  const ids = [await submit(), await submit(), await submit(), await submit(), await submit()]
  await service.db
    .updateTable('inf_inference')
    .set({ created_at: new Date('2024-01-01T00:00:00Z') })
    .where('id', 'in', ids.slice(0, 3))
    .execute()
  const pages = await walk('/v2/inference', 'results', submit)
  const told = pages.flat().map(({ id }) => id)
  expect(told.toSorted()).toEqual(ids.toSorted())
  expect(pages.map((page) => page.length)).toEqual([2, 2, 1])
})

test('tasks and events by cursors; without one an answer is as it was', async () => {
  const id = await submit()
  const rows = Array.from({ length: 5 }, (_, n) => ({
    ...{ task_id: `${id}-task_${n}`, inference_id: id, runner: null, config: '{}' },
    ...{ pipeline_steps: '[{"process_id":"a","status":"WAITING","step_number":0}]' },
    inference_folder: id,
  }))
  await service.db.insertInto('inf_task').values(rows).execute()
  const tasks = (await walk(`/v2/inference/${id}/tasks`, 'tasks')).flat()
  expect(tasks).toEqual(await anna.tasks(id))
  const event = { event_id: id, inference_id: id, detail: '{}', source: 'x', created_by: 'x' }
  await service.db.insertInto('notification').values(Array(5).fill(event)).execute()
  const events = (await walk(`/v2/notifications/${id}`, 'results')).flat()
  const all = (await anna.get(`/v2/notifications/${id}`)).body
  expect(events).toEqual(all.results)
  expect(Object.keys(all)).toEqual(['total_records', 'page_count', 'results'])
})

test('an event is told as old as it was written, not as the transaction that waited to write it', async () => {
  const id = await submit()
  await service.db.transaction().execute(async (late) => {
    await late.selectFrom('inf_inference').select('id').where('id', '=', id).execute()
    await publish(service.db, id, 'Inf:Task:Updated', { status: 'RUNNING' }, 'x')
    await publish(late, id, 'Inf:Task:Updated', { status: 'COMPLETED' }, 'x')
  })
  const { results } = (await anna.get(`/v2/notifications/${id}`)).body
  const byTime = results.toSorted((a: any, b: any) => (a.timestamp < b.timestamp ? -1 : 1))
  expect(byTime.at(-1).detail.status).toBe('COMPLETED')
})

test.each(['x', Buffer.from('["1","2"]').toString('base64url'), 'W10'])(
  'a cursor of nowhere (%s) is refused with the cure',
  async (cursor) => {
    const { status, body } = await anna.get(`/v2/inference?cursor=${cursor}`)
    expect([status, body.detail[0].type]).toEqual([422, 'request.cursor'])
  },
)
