import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { migrate, migrator, openDatabase } from '../../api/database/database.ts'
import {
  type Client,
  type Process,
  SCRIPT,
  type Service,
  startService,
  water,
} from '../support/api.ts'
import { freshDatabase, startS3 } from '../support/services.ts'
import { LAKE } from '../support/scenes.ts'

let service: Service
let s3: Awaited<ReturnType<typeof startS3>>
let api: Process
let anna: Client
let bob: Client

beforeAll(async () => {
  s3 = await startS3()
  service = await startService(s3.settings)
  api = await service.launch('api')
  anna = await service.client(api.url, 'anna@example.org')
  bob = await service.client(api.url, 'bob@example.org')
})
afterAll(async () => {
  await service.close()
  await s3.stop()
})

const model = (display_name: string, more: object = {}) => ({
  display_name,
  model_url: 'https://model.example.org',
  pipeline_steps: [{ process_id: 'url-connector', step_number: 0, status: 'READY' }],
  model_input_data_spec: [{ bands: [{ index: 0, band_name: 'B02' }] }],
  geoserver_push: [
    { workspace: 'geofm', layer_name: 'p', display_name: 'P', filepath_key: 'model_output_image' },
  ],
  ...more,
})
const scene = 'https://host.example.org/2024-01-01_scene.tif'

test.each([
  ['', {}, 'Provide a valid Authorization or X-Api-Key header.'],
  ['a bad key', { 'X-API-Key': 'pak-no' }, 'x-api-key provided is invalid or inactive.'],
  ['a bad token', { Authorization: 'Bearer no' }, 'Authorization token is invalid or expired.'],
  [
    'a forwarded e-mail of nobody trusted',
    { 'X-Forwarded-Email': 'anna@example.org' },
    'Provide a valid Authorization or X-Api-Key header.',
  ],
])('401 with %s', async (_, headers, detail) => {
  const answer = await fetch(`${api.url}/v2/models`, { headers: headers as Record<string, string> })
  expect([answer.status, await answer.json()]).toEqual([401, { detail }])
})

test('both mounts, both slashes, JSON content type without a body, 404 and 405', async () => {
  for (const path of ['/v2/models', '/v2/models/', '/studio-gateway/v2/models/', '/v2//models'])
    expect((await anna.get(path)).status, path).toBe(200)
  expect((await anna.get('/v2/nothing')).body).toEqual({ detail: 'Not Found' })
  const wrong = await anna.call('PUT', '/v2/models')
  expect([wrong.status, wrong.body]).toEqual([405, { detail: 'Method Not Allowed' }])
})

test('keys: two at most, masked in the list, off means off', async () => {
  const carl = await service.client(api.url, 'carl@example.org')
  const made = await carl.post('/v2/auth/api-keys', {})
  expect([made.status, made.body.value.length]).toEqual([200, 36])
  expect(made.body.expires_on).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/)
  expect((await carl.post('/v2/auth/api-keys', {})).status).toBe(412)
  const listed = (await carl.get('/v2/auth/api-keys')).body.results
  expect(JSON.stringify(listed)).not.toContain(made.body.value)
  const second = `/v2/auth/api-keys?apikey_id=${made.body.id}`
  expect((await carl.call('PATCH', second, { active: false })).body.active).toBe(false)
  const off = await fetch(`${api.url}/v2/models`, { headers: { 'X-API-Key': made.body.value } })
  expect(off.status).toBe(401)
  const stored = await service.db.selectFrom('apikey').selectAll().execute()
  expect(JSON.stringify(stored)).not.toContain(made.body.value)
  expect((await carl.call('DELETE', second)).body).toBe('')
})

test('models: versions, PATCH 201 with false kept, soft delete, keys in order', async () => {
  const first = (await anna.post('/v2/models', model('flood'))).body
  expect(Object.keys(first)).toEqual(
    (
      'display_name,description,model_url,pipeline_steps,geoserver_push,model_input_data_spec,postprocessing_options,' +
      'sharable,model_onboarding_config,latest,version,internal_name,id,active,created_by,created_at,updated_at,status'
    ).split(','),
  )
  expect(first.internal_name).toMatch(/^flood-v1-[0-9a-f]{8}$/)
  expect(first.created_at).toMatch(/\.\d{6}Z$/)
  const second = (await anna.post('/v2/models', model('flood', { sharable: true }))).body
  expect([second.version, (await anna.get(`/v2/models/${first.id}`)).body.latest]).toEqual([
    2,
    false,
  ])
  const patch = await anna.call('PATCH', `/v2/models/${second.id}`, {
    display_name: 'flood',
    sharable: false,
    description: null,
  })
  expect([patch.status, patch.body.sharable]).toEqual([201, false])
  const bad = await anna.post('/v2/models', { display_name: 'a b' })
  expect(bad.body.detail[0].msg).toBe(
    'Value error, model display_name can only contain letters, underscores, and hyphens',
  )
  expect((await anna.call('DELETE', `/v2/models/${second.id}`)).status).toBe(204)
  expect((await anna.get(`/v2/models/${second.id}`)).body).toEqual({ detail: 'Model not found' })
  const page = (await anna.get('/v2/models?limit=0')).body
  expect([page.page_count, page.results, page.total_records > 4]).toEqual([0, [], true])
  expect((await anna.get('/v2/models?limit=-1')).status).toBe(422)
  expect((await anna.get('/v2/models/1')).body.detail[0].type).toBe('uuid_parsing')
})

test('POST inference: checks in the recorded order', async () => {
  const none = '00000000-0000-4000-8000-000000000000'
  const ask = async (body: object) => {
    const answer = await anna.post('/v2/inference', body)
    return [answer.status, answer.body.detail]
  }
  const good = { spatial_domain: { urls: [scene] }, temporal_domain: [] }
  expect(
    (await ask({ spatial_domain: { urls: [scene] }, model_display_name: 'x' }))[1],
  ).toMatchObject([{ type: 'missing', loc: ['inference_config', 'temporal_domain'] }])
  expect((await ask(good))[1]).toMatchObject([
    {
      msg: "Value error, At least one of 'model_id' or 'model_display_name' must be provided.",
      loc: ['body'],
    },
  ])
  expect(
    (await ask({ ...good, model_display_name: 'x', spatial_domain: { bbox: [] } }))[1],
  ).toMatchObject([{ loc: ['body', 'spatial_domain'] }])
  expect(await ask({ ...good, model_display_name: 'x', generic_processor_id: none })).toEqual([
    404,
    'Generic Processor component not found',
  ])
  expect(await ask({ ...good, model_id: none })).toEqual([
    404,
    'Model not found. Ensure it exists before retrying.',
  ])
  await anna.post('/v2/models', model('nourl', { model_url: null }))
  expect((await ask({ ...good, model_display_name: 'nourl' }))[1].msg).toContain(
    'missing model_url',
  )
  expect((await ask({ ...good, model_display_name: 'geofm-sandbox-models' }))[1].msg).toContain(
    '`fine_tuning_id` required',
  )
  await anna.post('/v2/models', model('empty', { geoserver_push: [] }))
  expect((await ask({ ...good, model_display_name: 'empty' }))[0]).toBe(400)
  const weights = { url: 'https://h.example.org/m.onnx', sha256: '0'.repeat(64) }
  const own = { model_url: null, inference: { weights }, geoserver_push: [] }
  await anna.post('/v2/models', model('kept', own))
  expect((await ask({ ...good, model_display_name: 'kept' }))[0]).toBe(201)
  const pushed = { ...own, pipeline_steps: [{ process_id: 'push-to-geoserver', step_number: 0 }] }
  await anna.post('/v2/models', model('pushed', pushed))
  expect((await ask({ ...good, model_display_name: 'pushed' }))[0]).toBe(400)
  const done = await anna.post('/v2/inference', {
    ...good,
    model_display_name: 'tiny-water',
    maxcc: 80,
    description: null,
  })
  expect(done.status).toBe(201)
  expect(Object.keys(done.body).join()).toBe(
    'spatial_domain,temporal_domain,fine_tuning_id,generic_processor,maxcc,model_display_name,description,location,' +
      'geoserver_layers,demo,model_id,inference_output,generic_processor_id,id,active,created_by,created_at,updated_at,status,' +
      'tasks_count_total,tasks_count_success,tasks_count_failed,tasks_count_stopped,tasks_count_waiting',
  )
  expect(done.body).toMatchObject({
    status: 'PENDING',
    tasks_count_total: 1,
    tasks_count_waiting: 1,
    maxcc: 80,
  })
  expect((await anna.get(`/v2/inference/${done.body.id}`)).body.maxcc).toBe(80)
})

test('dry-run: steps rewritten for URLs, the processor before postprocess, all renumbered', async () => {
  const { body: processor } = await anna.processor(SCRIPT)
  const { status, body } = await anna.post('/v2/inference/dry-run', {
    model_display_name: 'geofm-sandbox-models',
    fine_tuning_id: 'geotune-tiny-water',
    spatial_domain: { urls: [scene] },
    temporal_domain: [],
    generic_processor_id: processor.id,
  })
  expect(status).toBe(201)
  expect(body.pipeline_steps.map((s: any) => [s.step_number, s.process_id, s.status])).toEqual([
    [0, 'url-connector', 'READY'],
    [1, 'terratorch-inference', 'WAITING'],
    [2, 'generic-python-processor', 'WAITING'],
    [3, 'postprocess-generic', 'WAITING'],
    [4, 'push-to-geoserver', 'WAITING'],
  ])
  expect(body).toMatchObject({
    tune_id: 'geotune-tiny-water',
    request_type: 'openeo',
    fine_tuning_id: null,
  })
})

test('two users: nothing of the one is seen or changed by the other, except by sharing', async () => {
  const mine = (await anna.post('/v2/models', model('secret'))).body
  const run = (await anna.post('/v2/inference', water(scene))).body
  const { body: processor } = await anna.processor(SCRIPT)
  const task = `${run.id}-task_planning`
  for (const path of [
    `/v2/models/${mine.id}`,
    `/v2/inference/${run.id}`,
    `/v2/inference/${run.id}/tasks`,
    `/v2/generic-processor/${processor.id}`,
    `/v2/tasks/${task}/output`,
    `/v2/tasks/${task}/logs/inference-planner`,
    `/v2/async/notify/${run.id}`,
  ])
    expect((await bob.get(path)).status, path).toBe(404)
  for (const [method, path] of [
    ['DELETE', `/v2/models/${mine.id}`],
    ['DELETE', `/v2/inference/${run.id}`],
    ['POST', `/v2/inference/${run.id}/cancel`],
    ['DELETE', `/v2/generic-processor/${processor.id}`],
  ] as const)
    expect((await bob.call(method, path)).status, path).toBe(404)
  const forged = await bob.post('/v2/notifications', {
    event_id: run.id,
    detail_type: 'Inf:Task:Updated',
    source: 'x',
    timestamp: '2024-01-01T00:00:00',
    detail: { a: 1 },
  })
  expect(forged.status).toBe(403)
  expect((await bob.get('/v2/inference')).body.total_records).toBe(0)
  expect((await bob.get(`/v2/notifications/${run.id}`)).body.results).toEqual([])

  const group = (await anna.post('/v2/groups/', { name: 'water' })).body
  expect((await bob.get(`/v2/groups/${group.id}`)).status).toBe(403)
  await anna.post(`/v2/groups/${group.id}/members`, {
    user_email: 'BOB@example.org',
    role: 'member',
  })
  await anna.post(`/v2/groups/${group.id}/artifacts`, {
    artifact_type: 'inference_run',
    artifact_id: run.id,
  })
  expect((await bob.get(`/v2/inference/${run.id}`)).status).toBe(200)
  expect((await bob.call('DELETE', `/v2/inference/${run.id}`)).status).toBe(404)
  const demoted = await anna.call('PUT', `/v2/groups/${group.id}/members/anna@example.org/role`, {
    role: 'member',
  })
  expect(demoted.status).toBe(400)
})

test('no model-name hijack: own before the system, the system before strangers', async () => {
  const system = (await anna.get('/v2/models?internal_name=tiny-water')).body.results[0]
  await bob.post('/v2/models', model('tiny-water', { sharable: true }))
  const run = (await anna.post('/v2/inference', water(scene))).body
  expect(run.model_id).toBe(system.id)
  expect((await anna.get(`/v2/models/${system.id}`)).body.latest).toBe(true)
})

test('Idempotency-Key: one inference for the same request, 409 for another', async () => {
  const key = { 'Idempotency-Key': crypto.randomUUID() }
  const first = await anna.post('/v2/inference', water(scene), key)
  const again = await anna.post('/v2/inference', water(scene), key)
  expect(again.body.id).toBe(first.body.id)
  expect((await anna.post('/v2/inference', water(scene, { maxcc: 3 }), key)).status).toBe(409)
})

test('ETag: 304 until the inference changes', async () => {
  const { id } = (await anna.post('/v2/inference', water(scene))).body
  const etag = (await anna.get(`/v2/inference/${id}`)).headers.get('etag')!
  const read = () => anna.call('GET', `/v2/inference/${id}`, undefined, { 'If-None-Match': etag })
  expect((await read()).status).toBe(304)
  await anna.post(`/v2/inference/${id}/cancel`)
  expect((await read()).body.status).toBe('STOPPED')
})

test.each([
  ['text.txt', SCRIPT, 'must end in .py'],
  ['no_guard.py', 'print(1)\n', '__main__'],
])('a processor %s is refused with the reason', async (name, text, reason) => {
  const { status, body } = await anna.processor(text, name)
  expect(status).toBe(422)
  expect(JSON.stringify(body)).toContain(reason)
})

test('processors: folders in the name are cut off, too large is 413, both field names work', async () => {
  const up = await anna.processor(SCRIPT, '../../x.py')
  expect(up.body.processor_file_path).toBe(`${up.body.id}/x.py`)
  expect((await anna.processor(`${SCRIPT}#${'x'.repeat(10.5 * 1024 * 1024)}`)).status).toBe(413)
  const form = new FormData()
  form.set('generic_processor_file', new File([SCRIPT], 'a.py'))
  form.set('generic_processor', '{"name":"old"}')
  const old = await fetch(`${api.url}/v2/generic-processor`, {
    method: 'POST',
    headers: { 'X-API-Key': anna.key },
    body: form,
  })
  expect(old.status).toBe(201)
  const { body } = await anna.get(`/v2/generic-processor/${up.body.id}`)
  expect(await (await fetch(body.processor_presigned_url)).text()).toBe(SCRIPT)
})

test('the file share on a real S3: PUT of any type, Range, not without its signature', async () => {
  const url = await anna.share(LAKE, 'lake.tif')
  expect(url.startsWith(s3.settings.S3_ENDPOINT)).toBe(true)
  const part = await fetch(url, { headers: { Range: 'bytes=0-3' } })
  expect([part.status, part.headers.get('content-range')?.startsWith('bytes 0-3/')]).toEqual([
    206,
    true,
  ])
  expect((await fetch(url.split('?')[0]!)).status).toBe(403)
})

test('a verified JWT is its e-mail; a forged, a foreign and an expired one are nobody', async () => {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const stranger = await generateKeyPair('RS256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256' }
  const jwks = createServer((_, response) => response.end(JSON.stringify({ keys: [jwk] })))
  await new Promise<void>((done) => jwks.listen(0, '127.0.0.1', done))
  const { port } = jwks.address() as AddressInfo
  const other = await service.launch('api', {
    JWKS_URL: `http://127.0.0.1:${port}`,
    TRUSTED_PROXIES: '127.0.0.0/8',
  })
  const token = (key: CryptoKey, life = '5m') =>
    new SignJWT({ email: 'dora@example.org' })
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .setExpirationTime(life)
      .sign(key)
  const ask = async (headers: Record<string, string>) =>
    (await fetch(`${other.url}/v2/groups`, { headers })).status
  expect(await ask({ Authorization: `Bearer ${await token(privateKey)}` })).toBe(200)
  expect(await ask({ Authorization: `Bearer ${await token(stranger.privateKey)}` })).toBe(401)
  expect(await ask({ Authorization: `Bearer ${await token(privateKey, '-5m')}` })).toBe(401)
  const none = `${btoa('{"alg":"none"}')}.${btoa('{"email":"dora@example.org"}')}.`
  expect(await ask({ Authorization: `Bearer ${none}` })).toBe(401)
  expect(await ask({ 'X-Forwarded-Email': 'dora@example.org' })).toBe(200)
  expect(await ask({ Authorization: `Bearer ${anna.key}` })).toBe(200)
  const users = await service.db.selectFrom('user').select('email').execute()
  expect(users.map((user) => user.email)).toContain('dora@example.org')
  await other.end('SIGTERM')
  jwks.close()
})

test('events by WebSocket, only for those who may read the inference', async () => {
  const { id } = (await anna.post('/v2/inference', water(scene))).body
  const listen = (key: string) =>
    new Promise<unknown[]>((done) => {
      const got: unknown[] = []
      const options = { headers: { 'X-API-Key': key } } as unknown as string[]
      const socket = new WebSocket(`${api.url.replace('http', 'ws')}/ws/inference/${id}`, options)
      socket.onmessage = ({ data }) => got.push(JSON.parse(data))
      socket.onopen = () => void anna.post(`/v2/inference/${id}/cancel`)
      socket.onclose = () => done(got)
      socket.onerror = () => done([])
    })
  expect(await listen(bob.key)).toEqual([])
  expect(await listen('pak-nobody')).toEqual([])
  expect((await listen(anna.key)).at(-1)).toMatchObject({
    detail_type: 'Inf:Task:Updated',
    status: 'STOPPED',
    data: { id, status: 'STOPPED' },
  })
})

test('the rate limit tells real numbers and ends in 429', async () => {
  const strict = await service.launch('api', { RATELIMIT_ENABLED: 'true', RATELIMIT_LIMIT: '3' })
  const ask = () => fetch(`${strict.url}/v2/models`, { headers: { 'X-API-Key': anna.key } })
  const left = []
  for (let n = 0; n < 3; n++) left.push((await ask()).headers.get('x-rate-limit-remaining'))
  expect(left).toEqual(['2', '1', '0'])
  const over = await ask()
  expect([over.status, await over.json()]).toEqual([
    429,
    { detail: [{ msg: 'Rate limit exceeded. Allowed 3 requests in 60 seconds.' }] },
  ])
  await strict.end('SIGTERM')
})

test('migrations: to an empty database, from each earlier state, and by two processes at once', async () => {
  const empty = openDatabase(await freshDatabase(service.databaseUrl))
  await Promise.all([migrate(empty), migrate(empty)])
  const names = (await migrator(empty).getMigrations()).map((one) => one.name)
  for (const name of names) {
    const db = openDatabase(await freshDatabase(service.databaseUrl))
    expect((await migrator(db).migrateTo(name)).error).toBeUndefined()
    await migrate(db)
    await db.insertInto('user').values({ email: 'a@b', first_name: '', last_name: '' }).execute()
    await db.destroy()
  }
  await empty.destroy()
})
