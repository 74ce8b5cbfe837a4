import { addLayers } from '../../api/inference/layers.ts'
import { purgeProcessors } from '../../api/processors/purge.ts'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Client,
  type Process,
  SCRIPT,
  type Service,
  startService,
  water,
} from '../support/api.ts'

const SCENE = 'https://host.example.org/2024-01-01_scene.tif'
const MIB = 1024 * 1024
let service: Service
let api: Process
let anna: Client
let bob: Client

beforeAll(async () => {
  service = await startService()
  api = await service.launch('api', {
    MAX_SCENES: '500',
    QUOTA_INFERENCES: '20',
    QUOTA_TASKS: '600',
    QUOTA_UPLOADS: '3',
    QUOTA_UPLOAD_GIB: '0.001',
    QUOTA_STORED_GIB: '1',
  })
  anna = await service.client(api.url, 'anna@example.org')
  bob = await service.client(api.url, 'bob@example.org')
})
afterAll(() => service.close())

const dry = (more: object) => anna.post('/v2/inference/dry-run', water(SCENE, more))
const raw = async (path: string, body: string, headers: Record<string, string> = {}) => {
  const answer = await fetch(api.url + path, {
    method: 'POST',
    headers: { 'X-API-Key': anna.key, 'Content-Type': 'application/json', ...headers },
    body,
  })
  const text = await answer.text()
  return { status: answer.status, text, detail: JSON.parse(text).detail }
}
const head = '{"model_display_name":"tiny-water","temporal_domain":[],'
const urls = `"spatial_domain":{"urls":["${SCENE}"]}`
const objects = `[${'{},'.repeat(3e6)}{}]`

test.each([
  ['objects in demo', `${head}${urls},"demo":{"a":${objects}}}`, 'demo'],
  ['objects in a field of no name', `${head}${urls},"x":${objects}}`, 'x'],
  ['a long description', `${head}${urls},"description":"${'d'.repeat(9 * MIB)}"}`, 'description'],
  ['a long number', `${head}${urls},"maxcc":${'1'.repeat(9 * MIB)}}`, 'maxcc'],
  [
    'wrong bboxes',
    `${head}"spatial_domain":{"bbox":[${'[1,2],'.repeat(6e5)}[1]]}}`,
    'spatial_domain',
  ],
  ['steps', `${head}${urls},"pipeline_steps":${objects}}`, 'pipeline_steps'],
  ['layers', `${head}${urls},"geoserver_layers":{"a":"${'l'.repeat(MIB)}"}}`, 'geoserver_layers'],
  [
    'a URL of 600 KB',
    `${head}"spatial_domain":{"urls":["https://h/${'u'.repeat(6e5)}"]}}`,
    'spatial_domain',
  ],
])('%s: refused by its field, with a short answer', async (_, body, field) => {
  const { status, text, detail } = await raw('/v2/inference', body)
  expect([status, detail[0].loc.slice(0, 2)]).toEqual([422, ['body', field]])
  expect(detail[0].type).toMatch(/^request\.too_(large|many_values)$/)
  expect(text.length).toBeLessThan(2000)
})

test('many fields, and a body of 1 MiB where little is expected', async () => {
  const fields = Array.from({ length: 1000 }, (_, n) => `"k${n}":1`)
  expect((await raw('/v2/inference', `{${fields}}`)).detail[0].type).toBe('request.too_many_values')
  const large = await raw('/v2/groups', JSON.stringify({ name: 'g', description: 'd'.repeat(MIB) }))
  expect([large.status, large.detail[0].type]).toEqual([413, 'request.too_large'])
})

test('errors end after twenty, and echo little of what was sent', async () => {
  const bbox = Array.from({ length: 4000 }, () => [1, 2, 'x'.repeat(500), 'y'])
  const { status, text, detail } = await raw(
    '/v2/inference',
    JSON.stringify(water(SCENE, { spatial_domain: { bbox } })),
  )
  expect([status, detail.length]).toEqual([422, 20])
  expect(text.length).toBeLessThan(30_000)
  const location = await raw(
    '/v2/inference',
    JSON.stringify(water(SCENE, { location: 'l'.repeat(6e4) })),
  )
  expect([location.status, location.text.length < 1000]).toEqual([422, true])
})

test('more scenes than MAX_SCENES: one error that names the setting and the cure', async () => {
  const { status, body } = await dry({ spatial_domain: { urls: Array(501).fill(SCENE) } })
  expect([status, body.detail[0].loc]).toEqual([422, ['body', 'spatial_domain', 'urls']])
  expect(body.detail[0].msg).toMatch(/501 URLs.*500 \(MAX_SCENES\): split/)
})

test.each([
  ['2024-01-01T10:30:00Z', /write 2024-01-01$/],
  ['2024-01-01 10:30', /write 2024-01-01$/],
  ['2024-02-30', /no day of the calendar/],
  ['2023-02-29_2023-03-01', /2023-02-29 is no day/],
  ['2024-13-01', /no day of the calendar/],
  ['2024-03-01_2024-02-01', /write 2024-02-01_2024-03-01/],
  ['yesterday', /write YYYY-MM-DD/],
  ['', /YYYY-MM-DD|needs a day/],
])('temporal_domain %j is refused by POST and dry-run at once', async (day, cure) => {
  for (const path of ['/v2/inference', '/v2/inference/dry-run']) {
    const temporal_domain = ['2024-01-01', day]
    const { status, body } = await anna.post(path, water(SCENE, { temporal_domain }))
    expect([status, body.detail[0].loc]).toEqual([422, ['body', 'temporal_domain', 1]])
    expect(body.detail[0].msg).toMatch(cure)
  }
})

test.each(['2024-02-29', '2024-01-01_2024-01-31', '2024-01-01/2024-01-31', '2024-01-01_..'])(
  'temporal_domain %s is taken',
  async (day) => expect((await dry({ temporal_domain: [day] })).status).toBe(201),
)

test.each(['s3://bucket/scene.tif', 'file:///etc/passwd', 'scene.tif', 'gs://b/s.tif', 'https://'])(
  'a scene at %s is refused by POST and dry-run with the cure',
  async (url) => {
    for (const path of ['/v2/inference', '/v2/inference/dry-run'])
      for (const [item, more] of [
        [url, []],
        [{ S2: url }, ['S2']],
      ] as const) {
        const spatial_domain = { urls: [SCENE, item] }
        const { status, body } = await anna.post(path, water(SCENE, { spatial_domain }))
        const loc = ['body', 'spatial_domain', 'urls', 1, ...more]
        expect([status, body.detail[0].loc]).toEqual([422, loc])
        expect(body.detail[0].msg).toContain('/v2/file-share')
      }
  },
)

test('a list shows the beginning of a long request, the one shows all', async () => {
  const long = Array.from({ length: 400 }, (_, n) => `${SCENE}?${n}&${'x'.repeat(200)}`)
  const { body: run } = await anna.post(
    '/v2/inference',
    water(SCENE, { spatial_domain: { urls: long } }),
  )
  const { body } = await anna.get('/v2/inference?limit=5')
  const listed = body.results.find((one: any) => one.id === run.id)
  expect(Object.keys(listed)).toEqual(Object.keys(run))
  expect(listed.spatial_domain.urls).toEqual(long.slice(0, 20))
  expect(listed.spatial_domain.omitted).toEqual({ urls: 380 })
  expect((await anna.get(`/v2/inference/${run.id}`)).body.spatial_domain.urls).toEqual(long)
  const { shown } = await service.db
    .selectFrom('inf_inference')
    .select('shown')
    .where('id', '=', run.id)
    .executeTakeFirstOrThrow()
  expect(shown).not.toBeNull()
  await anna.post(`/v2/inference/${run.id}/cancel`)
})

test('tasks: all without a limit, a page where one is asked for', async () => {
  const { body: run } = await bob.post('/v2/inference', water(SCENE))
  const rows = Array.from({ length: 450 }, (_, n) => ({
    ...{ task_id: `${run.id}-task_${n}`, inference_id: run.id, runner: null, status: 'STOPPED' },
    ...{ pipeline_steps: '[{"process_id":"a","status":"STOPPED","step_number":0}]' },
    ...{ config: '{}', inference_folder: run.id },
  }))
  await service.db.insertInto('inf_task').values(rows).execute()
  const all = await bob.tasks(run.id)
  expect([all.length, all[0].task_id]).toEqual([451, `${run.id}-task_449`])
  expect(Object.keys(all[0])).toEqual([
    'inference_id',
    'task_id',
    'inference_folder',
    'status',
    'pipeline_steps',
  ])
  const page = (await bob.get(`/v2/inference/${run.id}/tasks?limit=2&skip=1`)).body.tasks
  expect(page.map((one: any) => one.task_id)).toEqual([all[1].task_id, all[2].task_id])
  await bob.post(`/v2/inference/${run.id}/cancel`)
})

test('events: of a long past only the newest, the whole inference once', async () => {
  const { body: run } = await anna.post(
    '/v2/inference',
    water(SCENE, { description: 'd'.repeat(9000) }),
  )
  const many = Array.from({ length: 3000 }, (_, n) => ({
    ...{ event_id: run.id, inference_id: run.id, source: 'geodag.inference', created_by: 'x' },
    detail_type: n % 2 ? 'Inf:Task:Updated' : 'Inf:Task:Notify',
    detail: JSON.stringify(n % 2 ? { status: 'RUNNING' } : { message: `${n}` }),
  }))
  await service.db.insertInto('notification').values(many).execute()
  await anna.post(`/v2/inference/${run.id}/cancel`)
  const answer = await fetch(`${api.url}/v2/async/notify/${run.id}`, {
    headers: { 'X-API-Key': anna.key },
  })
  const text = await answer.text()
  const told = [...text.matchAll(/data: (.*)/g)].map(([, data]) => JSON.parse(data!))
  expect(told.length).toBeLessThanOrEqual(1000)
  expect(told.filter((one) => one.data.description !== undefined)).toHaveLength(1)
  expect(told.at(-1)).toMatchObject({ status: 'STOPPED', data: { id: run.id, status: 'STOPPED' } })
  expect(text.length).toBeLessThan(400_000)
})

test('event streams of one user are bounded', async () => {
  const { body: run } = await bob.post('/v2/inference', water(SCENE))
  const ends = new AbortController()
  const open = () =>
    fetch(`${api.url}/v2/async/notify/${run.id}`, {
      headers: { 'X-API-Key': bob.key },
      signal: ends.signal,
    })
  const all = await Promise.all(Array.from({ length: 60 }, open))
  const refused = all.filter((one) => one.status === 429)
  expect([refused.length, all.length - refused.length]).toEqual([10, 50])
  expect(refused[0]!.headers.get('retry-after')).toBe('10')
  expect(((await refused[0]!.json()) as any).detail[0].type).toBe('quota.streams')
  ends.abort()
  await bob.post(`/v2/inference/${run.id}/cancel`)
})

test('quotas of runs: unfinished inferences and tasks, 429 with the cure, free again after a cancel', async () => {
  const carl = await service.client(api.url, 'carl@example.org')
  const many = { spatial_domain: { urls: Array(400).fill(SCENE) } }
  const { body: first } = await carl.post('/v2/inference', water(SCENE, many))
  const over = await carl.post('/v2/inference', water(SCENE, many))
  expect([over.status, over.body.detail[0].type]).toEqual([429, 'quota.tasks'])
  expect(over.body.detail[0].msg).toMatch(/400 of your tasks.*600.*cancel/)
  expect(Number(over.headers.get('retry-after'))).toBeGreaterThan(0)
  const small = await Promise.all(
    Array.from({ length: 25 }, () => carl.post('/v2/inference', water(SCENE))),
  )
  expect(small.filter((one) => one.status === 201)).toHaveLength(19)
  const refused = small.find((one) => one.status !== 201)!
  expect([refused.status, refused.body.detail[0].type]).toEqual([429, 'quota.inferences'])
  await carl.post(`/v2/inference/${first.id}/cancel`)
  expect((await carl.post('/v2/inference', water(SCENE))).status).toBe(201)
  expect((await anna.post('/v2/inference', water(SCENE))).status).toBe(201)
})

test('quota of what is stored: 429 until something is deleted', async () => {
  const dora = await service.client(api.url, 'dora@example.org')
  const { body: run } = await dora.post('/v2/inference', water(SCENE))
  await service.db
    .updateTable('inf_inference')
    .set({ stored_bytes: 2 * 1024 ** 3 })
    .where('id', '=', run.id)
    .execute()
  for (const answer of [
    await dora.post('/v2/inference', water(SCENE)),
    await dora.processor(SCRIPT),
  ])
    expect([answer.status, answer.body.detail[0].type]).toEqual([429, 'quota.stored'])
  expect((await dora.call('DELETE', `/v2/inference/${run.id}`)).status).toBe(204)
  expect((await dora.processor(SCRIPT)).status).toBe(201)
})

test('the file of a deleted processor goes, but not while an inference may still read it', async () => {
  const fred = await service.client(api.url, 'fred@example.org')
  const made = (await fred.processor(SCRIPT)).body
  const used = (await fred.processor(SCRIPT)).body
  const run = (await fred.post('/v2/inference', water(SCENE, { generic_processor_id: used.id })))
    .body
  for (const { id } of [made, used])
    expect((await fred.call('DELETE', `/v2/generic-processor/${id}`)).status).toBe(204)
  const removed: string[] = []
  const store = { removeBelow: async (prefix: string) => void removed.push(prefix) } as never
  await purgeProcessors(service.db, store)
  expect(removed).toContain(`generic-processor/${made.id}`)
  expect(removed).not.toContain(`generic-processor/${used.id}`)
  await fred.post(`/v2/inference/${run.id}/cancel`)
  await purgeProcessors(service.db, store)
  expect(removed.filter((prefix) => prefix.endsWith(made.id))).toHaveLength(1)
  expect(removed).toContain(`generic-processor/${used.id}`)
})

test('boxes of published layers: at most 200 in an answer, and the one around all of them', async () => {
  const { body: run } = await anna.post('/v2/inference', water(SCENE))
  for (let n = 0; n < 3; n++) {
    const bboxes = Array.from({ length: 100 }, (_, k) => {
      const west = (n * 100 + k) / 10
      return [west, 0, west + 1, 1]
    })
    await addLayers(service.db, run.id, { bboxes })
  }
  const { geoserver_layers } = (await anna.get(`/v2/inference/${run.id}`)).body
  expect(geoserver_layers.bbox_pred).toHaveLength(201)
  expect(geoserver_layers.bbox_pred.at(-1)).toEqual([0, 0, 30.9, 1])
  await anna.post(`/v2/inference/${run.id}/cancel`)
})

test('quotas of uploads: bytes while they come, then their number; old ones are removed', async () => {
  const emil = await service.client(api.url, 'emil@example.org')
  const ask = (name: string) => emil.get(`/v2/file-share?object_name=${name}`)
  const put = async (name: string, bytes: number) => {
    const { body } = await ask(name)
    const answer = await fetch(body.upload_url, { method: 'PUT', body: Buffer.alloc(bytes) })
    return { status: answer.status, body: (await answer.json()) as any }
  }
  const large = await put('large.tif', 2 * MIB)
  expect([large.status, large.body.detail[0].type]).toEqual([429, 'quota.upload_bytes'])
  for (const name of ['one.tif', 'two.tif', 'three.tif'])
    expect((await put(name, 1000)).status, name).toBe(200)
  const fourth = await ask('four.tif')
  expect([fourth.status, fourth.body.detail[0].type]).toEqual([429, 'quota.uploads'])
  expect(fourth.headers.get('retry-after')).toBeTruthy()

  const old = join(service.settings.DATA_FOLDER, 'objects/temporary-uploads/2020-01-01/x')
  mkdirSync(old, { recursive: true })
  writeFileSync(join(old, 'old.tif'), 'x')
  const other = await service.launch('api')
  await expect.poll(() => other.output).toContain('uploads of 2020-01-01 are over')
  await other.end('SIGTERM')
})

test('forms: of many parts, or URL-encoded, are refused before they are read', async () => {
  const part = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
  const many = await raw('/v2/generic-processor', `${part.repeat(1e5)}--b--\r\n`, {
    'Content-Type': 'multipart/form-data; boundary=b',
  })
  expect([many.status, many.detail[0].type]).toEqual([422, 'request.form'])
  const encoded = await raw('/v2/generic-processor', 'a&'.repeat(5e6), {
    'Content-Type': 'application/x-www-form-urlencoded',
  })
  expect([encoded.status, encoded.detail[0].type]).toEqual([422, 'request.form'])
})

test('the rate limit counts by route: not by id, mount, or HEAD; wrong keys by address', async () => {
  const strict = await service.launch('api', {
    ...{ RATELIMIT_ENABLED: 'true', RATELIMIT_LIMIT: '6', LOGIN_FAILURES: '5' },
  })
  const ask = async (method: string, path: string, key = anna.key) =>
    (await fetch(strict.url + path, { method, headers: { 'X-API-Key': key } })).status
  const id = () => crypto.randomUUID()
  const got = []
  for (let n = 0; n < 2; n++) {
    got.push(await ask('GET', `/v2/models/${id()}`))
    got.push(await ask('HEAD', `/v2/models/${id()}`))
    got.push(await ask('GET', `/studio-gateway/v2/models/${id()}`))
  }
  expect(got).toEqual(Array(6).fill(404))
  for (const path of ['/v2/models/', '/studio-gateway/v2/models/'])
    for (const method of ['GET', 'HEAD']) expect(await ask(method, path + id()), path).toBe(429)
  expect(await ask('GET', '/v2/models')).toBe(200)
  const wrong = []
  for (let n = 0; n < 7; n++) wrong.push(await ask('GET', `/v2/inference/${id()}`, `pak-${n}`))
  expect(wrong).toEqual([401, 401, 401, 401, 401, 429, 429])
  expect(await ask('GET', '/v2/groups', 'pak-no')).toBe(429)
  expect(await ask('GET', '/v2/groups')).toBe(200)
  await strict.end('SIGTERM')
})
