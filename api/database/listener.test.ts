import { createServer, type AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { Listener } from './listener.ts'

test('a server that is away is asked again by one connection at a time', async () => {
  let open = 0
  let most = 0
  let asked = 0
  const server = createServer((socket) => {
    asked++
    most = Math.max(most, ++open)
    socket.on('close', () => open--).on('error', () => undefined)
    setTimeout(() => socket.destroy(), 50)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  const listener = new Listener(`postgres://a:b@127.0.0.1:${port}/x`)
  await expect(listener.open()).rejects.toThrow()
  listener['reopen']()
  while (asked < 6) await new Promise((done) => setTimeout(done, 20))
  await listener.close()
  expect(most).toBe(1)
  server.close()
})
