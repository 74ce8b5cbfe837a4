import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Client,
  type Process,
  SCRIPT,
  type Service,
  startService,
  water,
} from '../support/api.ts'

const KIB = 1024
let service: Service
let api: Process
let anna: Client

beforeAll(async () => {
  service = await startService()
  api = await service.launch('api', { QUOTA_RECORDS: '3' })
  anna = await service.client(api.url, 'anna@example.org')
})
afterAll(() => service.close())

/** A text that does not shrink where Postgres compresses it. */
const long = () => Buffer.from(crypto.getRandomValues(new Uint8Array(48 * KIB))).toString('base64')
const large = 'd'.repeat(500 * KIB)

test('lists of large rows are cut at a size, say how many came, and go on by skip', async () => {
  const created_by = 'anna@example.org'
  const [description, options] = [large, JSON.stringify({ post_processing: { text: large } })]
  for (let n = 0; n < 80; n++) {
    await service.db
      .insertInto('inf_model')
      .values({
        ...{ internal_name: `large-${n}`, display_name: 'large', description, created_by },
        ...{ version: n + 1, sharable: false, updated_by: created_by },
      })
      .execute()
    await service.db
      .insertInto('tune')
      .values({
        ...{ id: `geotune-${n}`, name: 'large', description: null, status: 'Pending', created_by },
        ...{ train_options: options, inference: null, error: null },
      })
      .execute()
  }
  for (const path of ['/v2/models', '/v2/tunes']) {
    const answer = await fetch(`${api.url}${path}?limit=10000`, {
      headers: { 'X-API-Key': anna.key },
    })
    const text = await answer.text()
    const { page_count, total_records, results } = JSON.parse(text)
    expect(text.length, path).toBeLessThan(36 * KIB * KIB)
    expect(total_records).toBeGreaterThanOrEqual(80)
    expect([page_count, page_count < total_records]).toEqual([results.length, true])
    const { body } = await anna.get(`${path}?limit=10000&skip=${page_count}`)
    expect(page_count + body.page_count).toBe(total_records)
    const ids = [...results, ...body.results].map((one: any) => one.id)
    expect(new Set(ids).size).toBe(total_records)
  }
})

test('models, processors, tunes, groups and members of a group are bounded, each with the cure', async () => {
  const bob = await service.client(api.url, 'bob@example.org')
  const url = 'https://host.example.org/file'
  const make = {
    models: () => bob.post('/v2/models', { display_name: 'many' }),
    processors: () => bob.processor(SCRIPT),
    tunes: () =>
      bob.post('/v2/upload-completed-tunes', {
        ...{ name: 'many', tune_config_url: url, tune_checkpoint_url: url },
      }),
    groups: () => bob.post('/v2/groups', { name: crypto.randomUUID() }),
  }
  for (const [name, post] of Object.entries(make)) {
    for (let n = 0; n < 3; n++) expect((await post()).status, name).toBe(201)
    const { status, body } = await post()
    expect([status, body.detail[0].type], name).toEqual([429, 'quota.records'])
    expect(body.detail[0].msg).toContain(`3 ${name}`)
  }
  const { body: groups } = await bob.get('/v2/groups')
  expect(groups.map((one: any) => one.members.length)).toEqual([1, 1, 1])
  const members = `/v2/groups/${groups[0].id}/members`
  const add = (n: number) => bob.post(members, { user_email: `m${n}@example.org` })
  expect([(await add(1)).status, (await add(2)).status]).toEqual([201, 201])
  const over = await add(3)
  expect([over.status, over.body.detail[0].type]).toEqual([429, 'quota.records'])
  expect((await bob.call('DELETE', `/v2/groups/${groups[0].id}`)).status).toBe(204)
  expect((await make.groups()).status).toBe(201)
})

test('what a request takes in the database counts as stored', async () => {
  const small = await service.launch('api', { QUOTA_STORED_GIB: '0.0005' })
  const carl = await service.client(small.url, 'carl@example.org')
  const urls = Array.from(
    { length: 30 },
    () => `https://host.example.org/s.tif?${long().slice(0, 7000)}`,
  )
  const statuses: number[] = []
  for (let n = 0; n < 5; n++)
    statuses.push(
      (await carl.post('/v2/inference', water('', { spatial_domain: { urls } }))).status,
    )
  expect([statuses[0], statuses.at(-1)]).toEqual([201, 429])
  await small.end('SIGTERM')
})

/** Begins a POST in chunks; the answer's first line, though the body does not end. */
const chunked = async (headers: string): Promise<string> => {
  const socket = connect(Number(new URL(api.url).port), '127.0.0.1')
  const chunk = Buffer.alloc(64 * KIB, 'a')
  socket.on('error', () => undefined)
  socket.write(
    `POST /v2/inference HTTP/1.1\r\nHost: h\r\n${headers}Transfer-Encoding: chunked\r\n\r\n`,
  )
  socket.write(Buffer.concat([Buffer.from('10000\r\n'), chunk, Buffer.from('\r\n')]))
  const [answer] = await once(socket, 'data')
  socket.destroy()
  return String(answer).split('\r\n')[0]!
}

test('a body in chunks is read of nobody whose key is wrong', async () => {
  expect(await chunked('')).toBe('HTTP/1.1 401 Unauthorized')
})

test('a body in chunks that is longer than allowed is refused, whoever sends it', async () => {
  const chunks = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(1024 * KIB)),
  })
  const sent = fetch(`${api.url}/v2/inference`, {
    ...{ method: 'POST', body: chunks, duplex: 'half' },
    headers: { 'X-API-Key': anna.key },
  } as RequestInit)
  expect((await sent).status).toBe(413)
})

test('a client of the WebSocket that talks too long, or too often, is let go', async () => {
  const { body: run } = await anna.post('/v2/inference', water('https://host.example.org/s.tif'))
  const open = async () => {
    const socket = new WebSocket(`${api.url.replace('http', 'ws')}/ws/inference/${run.id}`, {
      headers: { 'X-API-Key': anna.key },
    } as never)
    await once(socket as never, 'open')
    return socket
  }
  const still = await open()
  for (let n = 0; n < 20; n++) still.send('still here')
  const codes: number[] = []
  for (const talk of [
    (socket: WebSocket) => socket.send('x'.repeat(100 * KIB)),
    (socket: WebSocket) => {
      for (let n = 0; n < 5000; n++) socket.send('x')
    },
  ]) {
    const socket = await open()
    const closed = once(socket as never, 'close') as Promise<[CloseEvent]>
    talk(socket)
    codes.push((await closed)[0].code)
  }
  expect(codes[0]).toBe(1009)
  expect([1006, 1008]).toContain(codes[1])
  expect(still.readyState).toBe(WebSocket.OPEN)
  still.close()
  await anna.post(`/v2/inference/${run.id}/cancel`)
})
