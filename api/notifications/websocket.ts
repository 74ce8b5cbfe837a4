import type { Hono } from 'hono'
import type { UpgradeWebSocket } from 'hono/ws'
import { z } from 'zod'
import { HttpError } from '../http/errors.ts'
import type { InferenceRepository } from '../inference/repository.ts'
import type { Ctx, Identity, Vars } from '../http/context.ts'
import { type Events, type OpenStreams, TOO_MANY_STREAMS } from './events.ts'

const NOT_FOUND = 'Inference with EventId (%) Not Found.'

/** A client has nothing to say but that it is still there. */
const LONGEST_MESSAGE = 4096
/** Messages and pings of one client in ten seconds. */
const MOST_MESSAGES = 100
const WINDOW_MS = 10_000
const TOO_MUCH = 1008

/** Of `ws`, which brings no types, what is needed here. */
interface Socket {
  on(event: 'message' | 'ping', heard: () => void): Socket
  removeAllListeners(event: string): void
  close(code: number): void
  terminate(): void
}
interface Sockets {
  readonly options: { maxPayload?: number }
  on(event: 'connection', opened: (socket: Socket) => void): void
}

/** Ends connections of clients that send long messages, or many. */
export const boundMessages = (server: Sockets): void => {
  server.options.maxPayload = LONGEST_MESSAGE
  server.on('connection', (socket) => {
    let [count, since] = [0, Date.now()]
    const heard = () => {
      if (Date.now() - since > WINDOW_MS) [count, since] = [0, Date.now()]
      if (++count <= MOST_MESSAGES) return
      socket.removeAllListeners('message')
      socket.close(TOO_MUCH)
      // Without an answer to its close frame: what it has sent already is not read.
      socket.terminate()
    }
    socket.on('message', heard).on('ping', heard)
  })
}

/** `/ws/inference/:id`: the SSE stream's messages over a WebSocket, with the same authentication. */
export const webSocketRoute = (
  api: Hono<Vars>,
  upgrade: UpgradeWebSocket<any>,
  authenticate: (c: Ctx, route: { open?: boolean }) => Promise<Identity>,
  deps: { inferences: InferenceRepository; events: Events; streams: OpenStreams },
): void => {
  api.get(
    '/ws/inference/:id',
    async (c, next) => {
      c.set('pattern', '/ws/inference/:id')
      const id = c.req.param('id').toLowerCase()
      if (c.req.header('upgrade')?.toLowerCase() !== 'websocket')
        throw new HttpError(426, 'Connect by WebSocket.')
      const identity = await authenticate(c, {})
      const seen =
        z.guid().safeParse(id).success && (await deps.inferences.seen(identity.email, id))
      if (!seen) throw new HttpError(404, NOT_FOUND.replace('%', id))
      c.set('identity', identity)
      await next()
    },
    upgrade((c) => {
      const abort = new AbortController()
      const { email } = c.get('identity')
      let held = false
      const end = () => {
        abort.abort()
        if (held) deps.streams.give(email)
        held = false
      }
      return {
        onOpen: (_event, socket) => {
          held = deps.streams.take(email)
          if (!held) return socket.close(1013, TOO_MANY_STREAMS[0]!.msg.slice(0, 120))
          void (async () => {
            const id = c.req.param('id')!.toLowerCase()
            for await (const item of deps.events(email, id, '0', abort.signal)) {
              if (item === null) continue
              const { seq: _, ...message } = item
              socket.send(JSON.stringify(message))
            }
            socket.close(1000)
          })().catch(() => socket.close(1011))
        },
        onClose: end,
        onError: end,
      }
    }),
  )
}
