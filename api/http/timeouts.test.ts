import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, test } from 'vitest'
import { boundBodies } from './timeouts.ts'

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms))

/** Sends a head and then a byte each 20 ms; what came back, or how it ended. */
const trickle = async (request: string, bytes: number, most: number): Promise<string> => {
  const server = createServer((incoming, outgoing) => {
    incoming.on('error', () => undefined)
    let count = 0
    incoming.on('data', (chunk: Buffer) => (count += chunk.length))
    incoming.on('end', () => outgoing.end(`${count}`))
  })
  boundBodies(server, { requestMs: 1500, idleMs: 1000 })
  expect(server.requestTimeout).toBe(0)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk) => (answer += chunk)).on('error', () => undefined)
  const closed = once(socket, 'close').then(() => 'closed')
  socket.write(
    `${request} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: ${bytes}\r\n\r\n`,
  )
  for (let n = 0; n < most && !socket.destroyed; n++) {
    await pause(20)
    socket.write('x')
  }
  await closed
  server.close()
  return answer.split('\r\n\r\n')[1] ?? 'ended'
}

test('an upload takes as long as it moves; one that stands still, and any other slow body, is ended', async () => {
  expect(await trickle('PUT /v2/files/a?signature=b', 40, 40)).toBe('40')
  expect(await trickle('PUT /v2/files/a?signature=b', 40, 5)).toBe('ended')
  expect(await trickle('POST /v2/inference', 400, 400)).toBe('ended')
})
