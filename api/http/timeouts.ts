import type { IncomingMessage, Server } from 'node:http'
import { isFile } from './body.ts'

const MINUTE = 60_000
/** A body of JSON or a form, whole */
const REQUEST_MS = 5 * MINUTE
/** An upload may take as long as its line needs, but not stand still */
const IDLE_MS = 2 * MINUTE

/**
 * Ends requests whose body does not come. Node's own limit of five minutes holds for every request,
 * so that a large file on a slow line would never arrive: uploads are held to go on instead.
 */
export const boundBodies = (
  server: Server,
  { requestMs = REQUEST_MS, idleMs = IDLE_MS } = {},
): void => {
  server.requestTimeout = 0
  server.on('request', (incoming: IncomingMessage) => {
    const upload = incoming.method === 'PUT' && isFile(incoming.url ?? '')
    let read = incoming.socket.bytesRead
    const look = () => {
      if (incoming.complete) return
      const moved = incoming.socket.bytesRead > read
      read = incoming.socket.bytesRead
      if (!upload || !moved) incoming.destroy()
    }
    const timer = setInterval(look, upload ? idleMs : requestMs)
    incoming.once('close', () => clearInterval(timer))
  })
}
