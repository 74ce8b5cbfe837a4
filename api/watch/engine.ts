import { createConnection } from 'node:net'

const ANSWER_MS = 2000

/** What a session has shown last of the engine. */
let lastSession: boolean | undefined
export const engineAnswered = (answered: boolean): void => void (lastSession = answered)

/** Where an engine's own socket is: only of `unix://` and `tcp://` addresses. */
const socketOf = (host = '') => {
  if (!URL.canParse(host)) return undefined
  const url = new URL(host)
  if (url.protocol === 'unix:') return { path: url.pathname }
  if (url.protocol === 'tcp:') return { host: url.hostname, port: Number(url.port) }
  return undefined
}

/** Whether the engine's socket takes a connection; true of one that Dagger finds elsewhere (Docker, Kubernetes). */
export const socketTakes = async (host: string | undefined): Promise<boolean> => {
  const at = socketOf(host)
  if (!at) return true
  return new Promise((done) => {
    const socket = createConnection(at)
    const end = (answer: boolean) => {
      socket.destroy()
      done(answer)
    }
    // A process that stood still itself finds the answer there, behind the timer.
    socket.setTimeout(ANSWER_MS, () => setImmediate(end, false))
    socket.on('connect', () => end(true)).on('error', () => end(false))
  })
}

/**
 * Whether the engine answers, as far as is known: its socket takes a connection (that of a process
 * which hangs does too), and the last session got an answer.
 */
export const engineReachable = async (host: string | undefined): Promise<boolean> =>
  (lastSession ?? true) && (await socketTakes(host))
