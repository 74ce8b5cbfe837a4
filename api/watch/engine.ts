import { createConnection } from 'node:net'

const ANSWER_MS = 2000

/** What a session learnt last of the engine. */
let lastSession: boolean | undefined
export const engineAnswered = (answered: boolean): void => void (lastSession = answered)

const address = (host: string) => {
  const url = new URL(host)
  if (url.protocol === 'unix:') return { path: url.pathname }
  if (url.protocol === 'tcp:') return { host: url.hostname, port: Number(url.port) }
  return undefined
}

/**
 * Whether the engine can be reached: at a `unix://` or `tcp://` address its socket takes a
 * connection; an engine that Dagger finds elsewhere (Docker, Kubernetes) did so at the last session.
 */
export const engineReachable = async (host: string | undefined): Promise<boolean> => {
  const at = host && URL.canParse(host) ? address(host) : undefined
  if (!at) return lastSession ?? true
  return new Promise((done) => {
    const socket = createConnection(at)
    const end = (answer: boolean) => {
      socket.destroy()
      done(answer)
    }
    socket.setTimeout(ANSWER_MS, () => end(false))
    socket.on('connect', () => end(true)).on('error', () => end(false))
  })
}
