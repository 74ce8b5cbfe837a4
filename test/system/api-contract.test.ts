import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Client,
  type Process,
  SCRIPT,
  type Service,
  sleep,
  startService,
  water,
} from '../support/api.ts'

const TOKEN = 'a-token-of-the-services'
const SCENE = 'https://host.example.org/2024-01-01_scene.tif'
let service: Service
let api: Process
let anna: Client
let bob: Client

beforeAll(async () => {
  service = await startService({ INTERNAL_TOKEN: TOKEN })
  api = await service.launch('api')
  anna = await service.client(api.url, 'anna@example.org')
  bob = await service.client(api.url, 'bob@example.org')
})
afterAll(() => service.close())

const dry = (more: object) => anna.post('/v2/inference/dry-run', water(SCENE, more))
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
const raw = async (path: string, body: string, client = anna) => {
  const headers = { 'X-API-Key': client.key, 'Content-Type': 'application/json' }
  const answer = await fetch(api.url + path, { method: 'POST', headers, body })
  return { status: answer.status, body: (await answer.json()) as any }
}

test.each([
  ['80', 201],
  [' 80 ', 201],
  ['80.0', 201],
  [null, 201],
  [80.5, 'int_from_float'],
  ['80.5', 'int_parsing'],
  ['many', 'int_parsing'],
  [101, 'less_than_equal'],
])('maxcc %j', async (maxcc, wanted) => {
  const { status, body } = await dry({ maxcc })
  if (typeof wanted === 'number') return expect(status).toBe(wanted)
  expect([status, body.detail[0].type, body.detail[0].loc]).toEqual([
    422,
    wanted,
    ['body', 'maxcc'],
  ])
})

test('nulls inside of lists are as good as absent', async () => {
  const { status, body } = await dry({
    model_input_data_spec: [
      {
        connector: null,
        collection: null,
        bands: [{ index: 1, band_name: 'B02', RGB_band: null, scaling_factor: null }],
      },
    ],
    data_connector_config: [
      { connector: 'sentinel_aws', collection: null, collection_name: 'sentinel-2-l2a' },
    ],
    geoserver_push: [
      {
        ...{ workspace: 'g', layer_name: 'p', display_name: 'P' },
        ...{ filepath_key: 'model_output_image', file_suffix: null, geoserver_style: null },
      },
    ],
    post_processing: { cloud_masking: null },
  })
  expect(status, JSON.stringify(body)).toBe(201)
  expect(body.model_input_data_spec[0].bands[0].scaling_factor).toBe(1)
  expect(body.data_connector_config[0].collection).toBe('sentinel-2-l2a')
})

test.each([
  ['an array', '[]'],
  ['a string', '"x"'],
  ['null', 'null'],
  ['nothing', ''],
  ['half of JSON', '{"a":'],
  ['1000 levels', `{"model_display_name":"tiny-water","x":${nested(1000)}}`],
  ['100 000 levels', nested(100_000)],
  ['NUL', JSON.stringify(water(SCENE, { description: 'a\0b' }))],
  ['a polygon of words', JSON.stringify(water(SCENE, { spatial_domain: { polygons: [{}] } }))],
  [
    'a ring of two',
    JSON.stringify(
      water(SCENE, {
        spatial_domain: { polygons: [{ type: 'Polygon', coordinates: [[[0, 0]]] }] },
      }),
    ),
  ],
])('422 for a body that is %s', async (_, body) => {
  const answer = await raw('/v2/inference', body)
  expect(answer.status).toBe(422)
  expect(answer.body.detail[0].msg).toBeTruthy()
})

test('deep metadata of a processor is 422, null for an optional body is nothing', async () => {
  const form = new FormData()
  form.set('generic_processor_file', new File([SCRIPT], 'a.py'))
  form.set(
    'generic_processor_metadata',
    `{"name":"a","processor_parameters":{"a":${nested(5000)}}}`,
  )
  const headers = { 'X-API-Key': anna.key }
  const url = `${api.url}/v2/generic-processor`
  expect((await fetch(url, { method: 'POST', headers, body: form })).status).toBe(422)
  const none = '00000000-0000-4000-8000-000000000000'
  expect((await raw(`/v2/models/${none}/deploy`, 'null')).body.detail).toBe('Model not found')
})

test.each([
  'if "__main__" == __name__:\n  pass\n',
  'if(__name__=="__main__"):\n  pass\n',
  "if __name__ == '''__main__''':\n  pass\n",
  'if __name__ \\\n    == "__main__":\n  pass\n',
  'def f():\n\tif 1:\n\t\tpass\nif __name__ == "__main__":\n\tf()\n',
  'import sys\r\nif __name__ == "__main__":\r\n    pass\r\n',
])('a guard that Python takes is taken: %j', async (script) => {
  expect((await anna.processor(script)).status).toBe(201)
})

test('a byte-order mark, on which the step would stumble, is not kept', async () => {
  const { body } = await anna.processor(`\ufeff${SCRIPT}`)
  const { processor_presigned_url } = (await anna.get(`/v2/generic-processor/${body.id}`)).body
  const kept = Buffer.from(await (await fetch(processor_presigned_url)).arrayBuffer())
  expect(kept.toString()).toBe(SCRIPT)
})

test('HEAD of a stream ends, OPTIONS names the verbs, // does not lead away', async () => {
  const { body: run } = await anna.post('/v2/inference', water(SCENE))
  const headers = { 'X-API-Key': anna.key }
  const head = await fetch(`${api.url}/v2/async/notify/${run.id}`, { method: 'HEAD', headers })
  expect(head.status).toBe(200)
  const options = await fetch(`${api.url}/v2/models`, { method: 'OPTIONS' })
  expect([options.status, options.headers.get('allow')]).toEqual([405, 'POST, GET, HEAD'])
  expect((await fetch(`${api.url}/health/livez`, { method: 'POST' })).status).toBe(405)
  const root = await fetch(`${api.url}//`, { redirect: 'manual' })
  expect(root.headers.get('location')).toBe('/docs')
})

test('Idempotency-Key on every POST that makes something', async () => {
  const once = async (client: Client, path: string, body: object) => {
    const key = { 'Idempotency-Key': crypto.randomUUID() }
    const [first, again] = [await client.post(path, body, key), await client.post(path, body, key)]
    expect(first.status, path).toBeLessThan(300)
    expect([again.status, again.body], path).toEqual([first.status, first.body])
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    return { first, key }
  }
  const { first: group } = await once(anna, '/v2/groups', { name: 'once' })
  await once(anna, `/v2/groups/${group.body.id}/members`, { user_email: 'bob@example.org' })
  await once(anna, '/v2/models', { display_name: 'once' })
  const listed = (await anna.get('/v2/models?internal_name=once')).body
  expect(listed.total_records).toBe(1)
  const { first: tried, key } = await once(anna, '/v2/tunes/geotune-tiny-water/try-out', {
    ...{ location: 'x', spatial_domain: { urls: [SCENE] }, temporal_domain: [] },
  })
  expect(tried.body.description).toBe('try-out')
  // Another user's key of the same name is another key; another path of the same route, another request.
  const other = await bob.post('/v2/groups', { name: 'bobs' }, key)
  expect(other.status).toBe(201)
  const elsewhere = await anna.post('/v2/tunes/geotune-other/try-out', water(SCENE), key)
  expect(elsewhere.status).toBe(409)
})

test('Idempotency-Key on an upload: the same file, not the same boundary', async () => {
  const upload = async (script: string) => {
    const form = new FormData()
    form.set('generic_processor_file', new File([script], 'a.py'))
    form.set('generic_processor_metadata', '{"name":"a"}')
    const headers = { 'X-API-Key': bob.key, 'Idempotency-Key': 'upload' }
    const answer = await fetch(`${api.url}/v2/generic-processor`, {
      ...{ method: 'POST', headers, body: form },
    })
    return { status: answer.status, body: (await answer.json()) as any }
  }
  const first = await upload(SCRIPT)
  expect((await upload(SCRIPT)).body.id).toBe(first.body.id)
  expect((await upload(`${SCRIPT}#`)).status).toBe(409)
  expect((await bob.get('/v2/generic-processor')).body.total_records).toBe(1)
})

test('an API that dies between insert and answer leaves the key free and no half of a run', async () => {
  const doomed = await service.launch('api')
  const carl = await service.client(doomed.url, 'carl@example.org')
  const key = { 'Idempotency-Key': 'crash' }
  const request = water(SCENE)
  await service.db.transaction().execute(async (trx) => {
    await sql`lock table inf_task in access exclusive mode`.execute(trx)
    const lost = carl.post('/v2/inference', request, key).catch(() => undefined)
    // The first has the key, and waits for the table.
    await expect
      .poll(async () => {
        // The service's own sweeps may wait for the table as well: the insert is the request's.
        const { rows } = await sql`select 1 from pg_locks join pg_stat_activity using (pid)
          where relation = 'inf_task'::regclass and not granted
            and query like 'insert into "inf_task"%'`.execute(service.db)
        return rows.length
      })
      .toBe(1)
    const early = await carl.post('/v2/inference', request, key)
    expect([early.status, early.headers.get('retry-after')]).toEqual([409, '1'])
    await doomed.end('SIGKILL')
    await lost
  })
  const again = { ...carl, url: api.url, call: carl.call, post: carl.post, get: carl.get } as Client
  // Postgres learns that its client has died when it answers it: until then the key is in use.
  const asked = async () => (await again.post('/v2/inference', request, key)).status
  await expect.poll(asked, { interval: 200, timeout: 60_000 }).toBe(201)
  expect((await again.get('/v2/inference')).body.total_records).toBe(1)
})

const event = (run: { id: string }, detail_type: string, detail: object) =>
  anna.post(
    '/v2/notifications',
    {
      ...{ event_id: run.id, detail_type, source: 'inference', detail },
      timestamp: '2024-01-01T00:00:00',
    },
    { 'X-Internal-Token': TOKEN },
  )

test('notifications: codes become text, failures are read by REST, false moves are refused', async () => {
  const { body: run } = await anna.post('/v2/inference', water(SCENE))
  await event(run, 'Inf:Task:Notify', { message: 'm', error_code: 1007 })
  await event(run, 'Inf:Task:Failed', { error_code: '1011', task_id: 't' })
  const told = (await anna.get(`/v2/notifications/${run.id}`)).body.results
  expect(told.map((one: any) => [one.detail_type, one.detail])).toEqual([
    ['Inf:Task:Error', { error: 'Invalid url.' }],
    [
      'Inf:Task:Notify',
      { message: 'm', error_code: 'Input is not a GeoTiff.', error: 'Input is not a GeoTiff.' },
    ],
  ])
  const { inference_output } = (await anna.get(`/v2/inference/${run.id}`)).body
  expect(inference_output.errors).toEqual([{ code: '1011', message: 'Invalid url.', task_id: 't' }])
  for (const [type, to] of [
    ['Inf:Task:PendingGeoserver', 'PUBLISHING_RESULTS'],
    ['Inf:Task:AddLayerComplete', 'COMPLETED'],
  ] as const) {
    const { status, body } = await event(run, type, { predicted_layers: [] })
    expect([status, body.detail]).toEqual([422, `Invalid state transition: PENDING -> ${to}`])
  }
  const broken = await event(run, 'Inf:Task:LayerReady', { predicted_layers: [null] })
  expect([broken.status, broken.body.detail[0].loc]).toEqual([
    422,
    ['body', 'detail', 'predicted_layers', 0],
  ])
})

test('try-out: options of the tune, kept by its owner, shared by a group, 400 without', async () => {
  const { train_options, inference } = await service.db
    .selectFrom('tune')
    .selectAll()
    .where('id', '=', 'geotune-tiny-water')
    .executeTakeFirstOrThrow()
  const own = { name: 'mine', created_by: 'anna@example.org', inference: JSON.stringify(inference) }
  await service.db
    .insertInto('tune')
    .values([
      { ...own, id: 'geotune-bare', train_options: '{}' },
      { ...own, id: 'geotune-full', train_options: JSON.stringify(train_options) },
    ])
    .execute()
  const request = { location: 'x', spatial_domain: { urls: [SCENE] }, temporal_domain: [] }
  const bare = await anna.post('/v2/tunes/geotune-bare/try-out', request)
  expect([bare.status, bare.body.detail]).toEqual([
    400,
    expect.stringContaining('in the train_options of geotune-bare tune.'),
  ])
  const tried = await anna.post('/v2/tunes/geotune-full/try-out', {
    ...request,
    post_processing: { cloud_masking: 'True' },
  })
  expect(tried.status).toBe(200)
  const kept = (await anna.get('/v2/tunes/geotune-full')).body.train_options
  expect(kept.post_processing).toEqual({ cloud_masking: true })
  expect(kept.model_input_data_spec).toHaveLength(1)

  const foreign = () => bob.post('/v2/tunes/geotune-full/try-out', request)
  expect((await foreign()).body).toEqual({ detail: 'Tune not found' })
  const { body: group } = await anna.post('/v2/groups', { name: 'tunes' })
  await anna.post(`/v2/groups/${group.id}/members`, { user_email: 'bob@example.org' })
  const artifact = { artifact_type: 'tune', artifact_id: 'geotune-full' }
  expect((await anna.post(`/v2/groups/${group.id}/artifacts`, artifact)).status).toBe(201)
  expect((await foreign()).status).toBe(200)
})

test("another's ids in a request: his processor, his model, his event and his log are not there", async () => {
  const { body: processor } = await anna.processor(SCRIPT)
  const { body: model } = await anna.post('/v2/models', { display_name: 'private' })
  const { body: run } = await anna.post('/v2/inference', water(SCENE))
  const ask = async (more: object) => (await bob.post('/v2/inference', water(SCENE, more))).body
  expect(await ask({ generic_processor_id: processor.id })).toEqual({
    detail: 'Generic Processor component not found',
  })
  expect(await ask({ model_id: model.id })).toEqual({
    detail: 'Model not found. Ensure it exists before retrying.',
  })
  const logs = `/v2/tasks/${run.id}-task_planning/logs/inference-planner`
  expect((await bob.get(logs)).body).toEqual({ detail: 'Task not found' })
  const { step_log_url } = (await anna.get(logs)).body
  expect((await fetch(step_log_url)).status).toBe(200)
  const moved = step_log_url.replace('inference-planner', 'url-connector')
  expect((await fetch(moved)).status).toBe(403)
  await service.db
    .updateTable('inf_generic_processor')
    .set({ status: 'FAILED' })
    .where('id', '=', processor.id)
    .execute()
  const failed = await anna.post(
    '/v2/inference',
    water(SCENE, { generic_processor_id: processor.id }),
  )
  expect([failed.status, failed.body.detail.msg]).toEqual([422, expect.stringContaining('FAILED')])
})

test('ids in upper case, If-None-Match in its weak form, saved=TRUE, an empty model_url', async () => {
  const { body: run } = await anna.post('/v2/inference', water(SCENE))
  const found = await anna.get(`/v2/inference/${run.id.toUpperCase()}`)
  const weak = { 'If-None-Match': `W/${found.headers.get('etag')}` }
  const path = `/v2/inference/${run.id}`
  expect((await anna.call('GET', path, undefined, weak)).status).toBe(304)
  expect((await anna.get('/v2/inference?saved=TRUE')).body.results).toEqual([])
  const named = { display_name: 'with-url', model_url: 'https://model.example.org' }
  const { body: model } = await anna.post('/v2/models', named)
  const cleared = { display_name: 'with-url', model_url: '' }
  const patched = await anna.call('PATCH', `/v2/models/${model.id}`, cleared)
  expect(patched.body.model_url).toBeNull()
})

test('a model as a STAC MLM Item: out, in again as it was, and that of another registry', async () => {
  const [shipped] = (await anna.get('/v2/models?internal_name=tiny-water')).body.results
  const { status, body: item } = await anna.get(`/v2/models/${shipped.id}/mlm`)
  const { 'mlm:name': called, license } = item.properties
  expect([status, item.type, called, license]).toEqual([200, 'Feature', 'tiny-water', 'Apache-2.0'])
  const back = await anna.post('/v2/models', item)
  expect(back.status, JSON.stringify(back.body)).toBe(201)
  expect(back.body.inference).toEqual(shipped.inference)
  expect(back.body.geoserver_push).toMatchObject(shipped.geoserver_push)

  const { 'geodag:model': _, ...properties } = item.properties
  const checksum = { 'file:checksum': `1220${'a'.repeat(64)}` }
  const weights = { href: 'https://host.example.org/m.onnx', roles: ['mlm:model'], ...checksum }
  const other = { ...item, properties: { ...properties, 'mlm:name': 'of another' } }
  const made = await anna.post('/v2/models', { ...other, assets: { m: weights } })
  expect([made.status, made.body.display_name]).toEqual([201, 'of-another'])
  expect(made.body.inference).toMatchObject({
    ...{ task: 'segmentation', tile: 64, mean: shipped.inference.mean },
    weights: { url: weights.href, sha256: 'a'.repeat(64) },
  })
  // Words that geodag has no use for come out again, the licence with them, and after a change.
  const more = {
    ...{ license: 'CC-BY-NC-4.0', 'mlm:architecture': 'Unet', 'mlm:name': 'kept' },
    'mlm:total_parameters': 13160978,
  }
  const links = [{ rel: 'cite-as', href: 'https://doi.example.org/1' }]
  const theirs = { ...other, properties: { ...properties, ...more }, links, assets: { m: weights } }
  const { body: kept } = await anna.post('/v2/models', theirs)
  expect([kept.licence, 'mlm' in kept]).toEqual(['CC-BY-NC-4.0', false])
  const given = async () => {
    const { body } = await anna.get(`/v2/models/${kept.id}/mlm`)
    const { 'geodag:model': model, ...said } = body.properties
    expect(model).toMatchObject({ licence: said.license })
    return { ...body, properties: said }
  }
  expect(await given()).toEqual(theirs)
  const relicensed = { display_name: 'kept', licence: 'Apache-2.0' }
  await anna.call('PATCH', `/v2/models/${kept.id}`, relicensed)
  expect((await given()).properties).toEqual({ ...theirs.properties, license: 'Apache-2.0' })
  const nonsense = await anna.post('/v2/models', { display_name: 'x', mlm: { type: 'Feature' } })
  expect([nonsense.status, nonsense.body.detail[0].loc]).toEqual([422, ['body', 'mlm']])
  const { roles, href } = weights
  const unpinned = await anna.post('/v2/models', { ...other, assets: { m: { href, roles } } })
  expect([unpinned.status, unpinned.body.detail[0].msg]).toEqual([
    422,
    expect.stringContaining('file:checksum'),
  ])
  const sandboxes = '/v2/models?internal_name=geofm-sandbox-models'
  const [sandbox] = (await anna.get(sandboxes)).body.results
  const none = await anna.get(`/v2/models/${sandbox.id}/mlm`)
  expect([none.status, none.body.detail.msg]).toEqual([
    409,
    expect.stringContaining('model_input_data_spec'),
  ])
})
