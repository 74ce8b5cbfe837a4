import { afterAll, beforeAll, expect, test } from 'vitest'
import { publish } from '../../api/inference/events.ts'
import { type Client, SCRIPT, type Service, startService, water } from '../support/api.ts'

const SCENE = 'https://host.example.org/a.tif'
let service: Service
let anna: Client
beforeAll(async () => {
  service = await startService()
  anna = await service.client((await service.launch('api')).url, 'anna@example.org')
})
afterAll(() => service.close())

/** All entries of a list by cursors, a page at a time; `between` is done after the first page. */
const walk = async (path: string, key: string, between?: () => Promise<unknown>, who = anna) => {
  const pages: any[][] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const { status, body } = await who.get(`${path}?limit=2&cursor=${cursor}`)
    expect(status, JSON.stringify(body)).toBe(200)
    pages.push(body[key])
    cursor = body.next_cursor
    if (pages.length === 1) await between?.()
    if (pages.length > 20) throw new Error('no end')
  }
  return pages
}
/** All entries of an array by its Link headers, two at a time, which are the five that it has without. */
const linked = async (path: string): Promise<any[]> => {
  const all = await anna.get(path)
  expect([all.headers.get('link'), all.body.length]).toEqual([null, 5])
  const pages: any[][] = []
  let query: string | undefined = '?limit=2&cursor='
  while (query) {
    const { body, headers } = await anna.get(`${path}${query}`)
    pages.push(body)
    query = /^<(.+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1]
  }
  expect(pages.map((page) => page.length)).toEqual([2, 2, 1])
  expect(pages.flat()).toEqual(all.body)
  return all.body
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

test('models, processors and tunes by cursors, though one comes in between', async () => {
  const bob = await service.client(anna.url, 'bob@example.org')
  const model = async () => (await bob.post('/v2/models', { display_name: 'm' })).body.id as string
  const script = async () => (await bob.processor(SCRIPT)).body.id as string
  let last = 0
  const tune = async () => {
    const own = { train_options: '{}', inference: '{}', created_by: 'bob@example.org' }
    const id = `tune-${++last}`
    await service.db
      .insertInto('tune')
      .values({ id, name: 't', ...own })
      .execute()
    return id
  }
  for (const [path, one, table] of [
    ['/v2/models', model, 'inf_model'],
    ['/v2/generic-processor', script, 'inf_generic_processor'],
    ['/v2/tunes', tune, 'tune'],
  ] as const) {
    const ids = [await one(), await one(), await one(), await one(), await one()]
    const old = new Date('2024-01-01T00:00:00Z')
    await service.db
      .updateTable(table)
      .set({ created_at: old })
      .where('id', 'in', ids.slice(1, 4))
      .execute()
    const without = (await bob.get(`${path}?limit=100`)).body
    const pages = await walk(path, 'results', one, bob)
    const told = pages.flat().map(({ id }) => id)
    expect(new Set(told).size, path).toBe(told.length)
    expect(told, path).toEqual(without.results.map(({ id }: { id: string }) => id))
    expect(told, path).toEqual(expect.arrayContaining(ids))
    expect(Object.keys(without)).toEqual(['total_records', 'page_count', 'results'])
  }
})

test('groups, an array, go on by a Link header', async () => {
  const group = async () =>
    (await anna.post('/v2/groups', { name: crypto.randomUUID() })).body.id as string
  const ids = [await group(), await group(), await group(), await group(), await group()]
  const same = { added_at: new Date('2030-01-01T00:00:00Z') }
  await service.db
    .updateTable('group_members')
    .set(same)
    .where('group_id', 'in', ids.slice(0, 3))
    .execute()
  const told = await linked('/v2/groups')
  expect(told.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
})

test('what a group shares, an array, goes on by a Link header, each once though some came at once', async () => {
  const { body: group } = await anna.post('/v2/groups', { name: crypto.randomUUID() })
  const path = `/v2/groups/${group.id}/artifacts`
  for (const artifact_type of ['model', 'inference_run', 'tune'])
    for (const artifact_id of ['b', 'a'])
      await service.db
        .insertInto('artifact_permissions')
        .values({ group_id: group.id, artifact_type, artifact_id, granted_by: 'anna@example.org' })
        .execute()
  await service.db
    .deleteFrom('artifact_permissions')
    .where('artifact_id', '=', 'b')
    .where('artifact_type', '=', 'tune')
    .execute()
  const same = { granted_at: new Date('2030-01-01T00:00:00Z') }
  await service.db
    .updateTable('artifact_permissions')
    .set(same)
    .where('artifact_id', '=', 'a')
    .execute()
  const told = await linked(path)
  const keys = Object.keys(told[0]!)
  expect(keys).toEqual(['group_id', 'artifact_type', 'artifact_id', 'granted_by', 'granted_at'])
  expect(told.slice(2).map((one) => one.artifact_type)).toEqual(['inference_run', 'model', 'tune'])
  const refused = await anna.get(`${path}?cursor=W10`)
  expect([refused.status, refused.body.detail[0].type]).toEqual([422, 'request.cursor'])
})

test('tunes and models in one list by cursors', async () => {
  const without = (await anna.get('/v2/tunes-and-models?limit=100')).body
  const add = () => anna.post('/v2/models', { display_name: 'between' })
  const pages = await walk('/v2/tunes-and-models', 'results', add)
  const told = pages.flat().map(({ id }) => id)
  expect(told).toEqual(without.results.map(({ id }: { id: string }) => id))
  expect([new Set(told).size, told.length > 2]).toEqual([told.length, true])
})

const LISTS = [
  ...['/v2/models', '/v2/generic-processor', '/v2/tunes', '/v2/groups'],
  '/v2/tunes-and-models',
]
test.each(LISTS)('a cursor of nowhere is refused at %s', async (path) => {
  const { status, body } = await anna.get(`${path}?cursor=W10`)
  expect([status, body.detail[0].type]).toEqual([422, 'request.cursor'])
})

test.each(['x', Buffer.from('["1","2"]').toString('base64url'), 'W10'])(
  'a cursor of nowhere (%s) is refused with the cure',
  async (cursor) => {
    const { status, body } = await anna.get(`/v2/inference?cursor=${cursor}`)
    expect([status, body.detail[0].type]).toEqual([422, 'request.cursor'])
  },
)
