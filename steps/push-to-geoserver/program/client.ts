import type { Readable } from 'node:stream'
import { PushError } from './errors.ts'
import { type Answer, send } from './send.ts'

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
const PAUSE_MS = 4000
/** GeoServer refuses a right password for seconds while another login of that user fails. */
const LOGINS = 3
const PASSING = new Set([502, 503, 504])

const wait = (server: Server, ms: number): Promise<void> =>
  new Promise((done, stopped) => {
    const timer = setTimeout(done, ms)
    const { signal } = server
    signal?.addEventListener('abort', () => (clearTimeout(timer), stopped(signal.reason)), {
      once: true,
    })
  })

/** The error that a status stands for where it is not expected. */
const refusal = ({ method, path }: Call, { status, text, location }: Answer): PushError => {
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
  return new PushError('geoserver.refused', `${what} ${text.slice(0, 500)}`.trim())
}

/**
 * One call of GeoServer; what may pass (no answer, 502, 503, 504) is tried again.
 *
 * Every caller's request may be repeated: it is idempotent, or its `expected` holds the status of
 * what is there already.
 *
 * @throws PushError `geoserver.unreachable`, `.unauthorized`, `.forbidden`, `.too_large`, `.tls`, `.refused`
 */
export const call = async (server: Server, request: Call): Promise<Answer> => {
  const tries = server.tries ?? TRIES
  const pause = server.pause ?? PAUSE_MS
  let last = ''
  let logins = 0
  for (let attempt = 0; attempt < tries; attempt++) {
    if (attempt) {
      await wait(server, Math.min(pause * 2 ** (attempt - 1), 15 * pause))
      if (request.settled && (await request.settled()))
        return { status: request.expected[0]!, text: '', type: '' }
    }
    const answer = await send(server, request)
    if (answer instanceof Error) {
      last = answer.message
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
    last = `${answer.status} ${answer.text.slice(0, 200)}`.trim()
  }
  throw new PushError(
    'geoserver.unreachable',
    `${request.method} ${request.path}: ${tries} tries, the last: ${last}`,
  )
}
