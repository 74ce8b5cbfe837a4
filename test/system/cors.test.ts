import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Client, type Process, type Service, startService } from '../support/api.ts'

let service: Service
let api: Process
let anna: Client

beforeAll(async () => {
  service = await startService()
  api = await service.launch('api', { CORS_ORIGINS: 'https://map.example.org' })
  anna = await service.client(api.url, 'anna@example.org')
})
afterAll(() => service.close())

test('CORS: named origins call the API, with a preflight; others are told nothing', async () => {
  const preflight = (origin: string, path = '/v2/inference') =>
    fetch(api.url + path, {
      method: 'OPTIONS',
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'x-api-key,content-type',
      },
    })
  const allowed = await preflight('https://map.example.org', '/studio-gateway/v2/inference')
  expect(allowed.status).toBe(204)
  expect(allowed.headers.get('access-control-allow-origin')).toBe('https://map.example.org')
  expect(allowed.headers.get('access-control-allow-methods')).toContain('POST')
  expect(allowed.headers.get('access-control-allow-headers')?.toLowerCase()).toContain('x-api-key')
  const other = await preflight('https://evil.example.org')
  expect(other.headers.get('access-control-allow-origin')).toBeNull()
  const origin = { Origin: 'https://map.example.org' }
  const got = await anna.call('GET', '/v2/models', undefined, origin)
  expect(got.headers.get('access-control-allow-origin')).toBe('https://map.example.org')
  const wrong = await fetch(`${api.url}/v2/models`, { headers: origin })
  expect([wrong.status, wrong.headers.get('access-control-allow-origin')]).toEqual([
    401,
    'https://map.example.org',
  ])
})

test('signed URLs are open to every origin: GET, HEAD, Range and its headers', async () => {
  const fred = await service.client(api.url, 'fred@example.org')
  const { body } = await fred.get('/v2/file-share?object_name=scene.tif')
  await fetch(body.upload_url, { method: 'PUT', body: '0123456789' })
  const any = { Origin: 'https://any.example.org' }
  const preflight = await fetch(body.download_url, {
    method: 'OPTIONS',
    headers: {
      ...any,
      'Access-Control-Request-Method': 'GET',
      'Access-Control-Request-Headers': 'range',
    },
  })
  expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([
    204,
    '*',
  ])
  const ask = (headers: Record<string, string>, method = 'GET') =>
    fetch(body.download_url, { method, headers: { ...any, ...headers } })
  const part = await ask({ Range: 'Bytes=2-4' })
  expect([part.status, await part.text()]).toEqual([206, '234'])
  expect(part.headers.get('access-control-allow-origin')).toBe('*')
  expect(part.headers.get('access-control-expose-headers')).toContain('Content-Range')
  const whole = await ask({ Range: 'bytes=4-2' })
  expect([whole.status, await whole.text()]).toEqual([200, '0123456789'])
  expect((await ask({ Range: 'bytes=10-' })).status).toBe(416)
  const headed = await ask({ Range: 'bytes=2-4' }, 'HEAD')
  expect([headed.status, headed.headers.get('content-length')]).toEqual([200, '10'])
  const etag = part.headers.get('etag')!
  expect((await ask({ Range: 'bytes=0-1', 'If-Range': etag })).status).toBe(206)
  expect((await ask({ Range: 'bytes=0-1', 'If-Range': '"other"' })).status).toBe(200)
})
