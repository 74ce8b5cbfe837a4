import type { Readable } from 'node:stream'
import { PushError } from './errors.ts'
import { type Answer, send, Silent } from './send.ts'

export interface Server {
  /** Base address, such as https://host/geoserver */
  readonly url: string
  readonly username: string
  readonly password: string
  /** PEM text of the authority that signed the server's certificate, where the system lacks it */
  readonly ca?: string
  /** Milliseconds before the second try; doubled for each further one */
  readonly pause?: number
  /** Milliseconds in which neither side sends a byte */
  readonly silence?: number
  /** Tries of a request that may pass */
  readonly tries?: number
  readonly signal?: AbortSignal
}

/** What is sent: `open` is called once a try, so that nothing is held in memory between tries. */
export interface Body {
  readonly type: string
  /** Bytes */
  readonly size: number
  open(): Readable
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below the base address, encoded */
  readonly path: string
  /** Statuses that are an answer; any other one is an error */
  readonly expected: readonly number[]
  readonly body?: Body | undefined
  /** After a lost answer: whether the server did it all the same, so that it isn't sent again */
  readonly settled?: () => Promise<boolean>
}

const TRIES = 5
export const PAUSE_MS = 4000
/** GeoServer refuses a right password for seconds while another login of that user fails. */
const LOGINS = 3
const PASSING = new Set([502, 503, 504])
/** Silence is waited for twice: a third time would outlast what a step may take. */
const SILENCES = 2

export const wait = (server: Server, ms: number): Promise<void> =>
  new Promise((done, stopped) => {
    const timer = setTimeout(done, ms)
    const { signal } = server
    signal?.addEventListener('abort', () => (clearTimeout(timer), stopped(signal.reason)), {
      once: true,
    })
  })

/** The error that a status stands for where it is not expected. */
const refusal = ({ method, path }: Call, { status, words, location }: Answer): PushError => {
  const what = `${method} ${path} answered ${status}`
  if (status === 403)
    return new PushError(
      'geoserver.forbidden',
      `${what}: the user may not do this; give it a role that may publish to the workspace`,
    )
  if (status === 413)
    return new PushError(
      'geoserver.too_large',
      `${what}: a proxy before GeoServer limits the size of a body; raise its limit`,
    )
  if (status >= 300 && status < 400)
    return new PushError(
      'geoserver.refused',
      `${what}, a redirect to ${location ?? 'nowhere'}: set GeoServer's own address`,
    )
  return new PushError('geoserver.refused', `${what} ${words}`.trim())
}

/**
 * A page for people where REST answers: a container whose GeoServer is not there yet, or a proxy
 * that asks who it is. GeoServer's own 404 is plain text; GeoWebCache and `resource` may be absent.
 */
const isPage = ({ path }: Call, { status, type }: Answer): boolean =>
  /^text\/html/i.test(type) &&
  (status < 300 || status === 404) &&
  /^rest\/(?!resource\/)/.test(path)

/**
 * One call of GeoServer; what may pass (no answer, 502, 503, 504, a page in its place) is tried again.
 *
 * Every caller's request may be repeated: it is idempotent, or its `expected` holds the status of
 * what is there already.
 *
 * @throws PushError `geoserver.unreachable`, `.not_found`, `.unauthorized`, `.forbidden`, `.too_large`,
 *   `.tls`, `.refused`, `.unreadable`
 */
export const call = async (server: Server, request: Call): Promise<Answer> => {
  const tries = server.tries ?? TRIES
  const pause = server.pause ?? PAUSE_MS
  const what = `${request.method} ${request.path}`
  let last = ''
  let logins = 0
  let silences = 0
  let page = false
  for (let attempt = 0; attempt < tries; attempt++) {
    if (attempt) {
      await wait(server, Math.min(pause * 2 ** (attempt - 1), 15 * pause))
      if (request.settled && (await request.settled()))
        return { status: request.expected[0]!, text: '', type: '', words: '' }
    }
    const answer = await send(server, request)
    page = false
    if (answer instanceof Error) {
      last = answer.message
      if (answer instanceof Silent && ++silences === SILENCES) break
      continue
    }
    page = isPage(request, answer)
    if (page) {
      last = `${answer.status} with a page of HTML`
      continue
    }
    if (request.expected.includes(answer.status)) return answer
    if (answer.status === 401) {
      if (++logins >= LOGINS)
        throw new PushError(
          'geoserver.unauthorized',
          `GeoServer refuses the user name or password (401, ${LOGINS} times)`,
        )
      await wait(server, pause * 2.5)
      attempt--
      continue
    }
    if (!PASSING.has(answer.status)) throw refusal(request, answer)
    last = `${answer.status} ${answer.words.slice(0, 200)}`.trim()
  }
  if (page)
    throw new PushError(
      'geoserver.not_found',
      `${what} answered ${last}: the address must be GeoServer's own, such as https://host/geoserver, and need no other login`,
    )
  throw new PushError('geoserver.unreachable', `${what}: several tries, the last: ${last}`)
}
