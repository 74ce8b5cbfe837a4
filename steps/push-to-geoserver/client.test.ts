import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { pushTo } from '../../test/support/geoserver/pushes.ts'
import {
  type Geoserver,
  type Options,
  startGeoserver,
} from '../../test/support/geoserver/server.ts'
import { call } from './program/client.ts'

const open: { close(): void }[] = []
afterEach(() => open.splice(0).forEach((server) => server.close()))
const start = async (options: Options = {}): Promise<Geoserver> => {
  const stand = await startGeoserver(options)
  open.push(stand)
  return stand
}
const code = (name: string) => expect.objectContaining({ code: name })

test('a wrong password is geoserver.unauthorized after three tries, and in no message', async () => {
  const stand = await start()
  await expect(pushTo(stand, {}, undefined, { password: 'hunter2' })).rejects.toMatchObject({
    code: 'geoserver.unauthorized',
    message: expect.not.stringContaining('hunter2'),
  })
  expect(stand.requests).toHaveLength(3)
})

test('a right password is let in though another login of the user is failing', async () => {
  const stand = await start()
  const wrong = pushTo(stand, {}, undefined, { password: 'x', pause: 20 }).catch(() => 'refused')
  await new Promise((done) => setTimeout(done, 5))
  expect((await pushTo(stand, {}, undefined, { pause: 40 })).predicted_layers).toHaveLength(1)
  expect(await wrong).toBe('refused')
})

test('503 is tried again, five times and no more', async () => {
  const stand = await start()
  stand.failNext(3)
  expect((await pushTo(stand)).predicted_layers).toHaveLength(1)
  stand.failNext(99)
  await expect(pushTo(stand)).rejects.toThrow(code('geoserver.unreachable'))
})

test('what is wrong with the server is told by name', async () => {
  const forbidden = await start({ forbidden: true })
  await expect(pushTo(forbidden)).rejects.toThrow(code('geoserver.forbidden'))
  const stand = await start()
  const at = (url: string) => pushTo(stand, {}, undefined, { url, tries: 2 })
  await expect(at(stand.url.replace('/geoserver', ''))).rejects.toThrow(code('geoserver.not_found'))
  await expect(at('http://127.0.0.1:9/geoserver')).rejects.toThrow(code('geoserver.unreachable'))
  for (const [status, name] of [
    [413, 'too_large'],
    [302, 'refused'],
    [405, 'refused'],
  ] as const) {
    stand.interrupt = (_, line) => (line.startsWith('PUT') ? { status } : undefined)
    await expect(pushTo(stand)).rejects.toThrow(code(`geoserver.${name}`))
  }
})

test('a certificate of an own authority is trusted by GEOSERVER_CA alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'geodag-tls-'))
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(folder, name)) as [string, string]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
  ]
  execFileSync('openssl', [...made, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' })
  const ca = readFileSync(cert, 'utf8')
  const stand = await start({ tls: { key: readFileSync(key, 'utf8'), cert: ca } })
  await expect(pushTo(stand)).rejects.toThrow(code('geoserver.tls'))
  expect((await pushTo(stand, {}, undefined, { ca })).predicted_layers).toHaveLength(1)
})

test('a body is streamed and takes as long as it moves; silence ends it', async () => {
  let received = 0
  let most = 0
  const server = createServer((request, response) => {
    // Slow: a client that does not wait for the reader would hold the whole body.
    request.on('data', (chunk: Buffer) => {
      received += chunk.length
      request.pause()
      setTimeout(() => request.resume(), 1)
    })
    request.on('end', () => request.url!.endsWith('/mute') || response.writeHead(201).end())
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  open.push({ close: () => (server.closeAllConnections(), server.close()) })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const size = 32 * 2 ** 20
  let sent = 0
  const body = {
    ...{ type: 'image/tiff', size },
    open: () =>
      Readable.from(
        (function* () {
          for (sent = 0; sent < size; most = Math.max(most, sent - received)) {
            sent += 2 ** 20
            yield Buffer.alloc(2 ** 20)
          }
        })(),
      ),
  }
  const settings = { url, username: 'u', password: 'p', silence: 3000, tries: 1 }
  const answer = await call(settings, { method: 'PUT', path: 'x', expected: [201], body })
  expect([answer.status, received]).toEqual([201, size])
  expect(most).toBeLessThan(size / 2)
  const mute = call(settings, { method: 'GET', path: 'mute', expected: [200] })
  await expect(mute).rejects.toThrow('silent')
})
