import { lookup as systemLookup } from 'node:dns'
import { type IncomingMessage, request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { pipeline, type Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import { isPublic } from './address.ts'
import { ConnectorError } from './errors.ts'

const MAX_REDIRECTS = 5
export const PAGE_BYTES = 10 * 1024 * 1024
const CONNECT_SECONDS = 30
/** Ports of public hosts; a port that the catalogue's own row names is allowed besides. */
const PORTS = [80, 443, 8080, 8443]

interface Resolved {
  readonly address: string
  readonly family: number
}
export type Resolve = (host: string) => Promise<readonly Resolved[]>

const resolveBySystem: Resolve = (host) =>
  new Promise((done, failed) => {
    systemLookup(host, { all: true, verbatim: true }, (error, found) =>
      error ? failed(error) : done(found),
    )
  })

export interface ClientOptions {
  /** Hosts that may be asked: `x.org` is itself and every name under it; empty: any public host. */
  readonly hosts: readonly string[]
  /** Ports besides the usual ones */
  readonly ports?: readonly number[]
  /** Private addresses, plain http and any port: a test's own servers, or an operator's network. */
  readonly allowPrivate?: boolean
  readonly resolve?: Resolve
}
export interface Ask {
  readonly method?: 'GET' | 'POST'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly maxBytes?: number
  /** false: a redirect is an answer like any other */
  readonly follow?: boolean
  readonly signal?: AbortSignal
}
export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  /** After redirects */
  readonly url: string
}
export type Send = (ask: Ask) => Promise<Answer>

/** `x.org` allows x.org and every name under it. */
export const hostAllowed = (host: string, hosts: readonly string[]): boolean =>
  hosts.length === 0 || hosts.some((one) => host === one || host.endsWith(`.${one}`))

const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')

/**
 * A URL that a stranger wrote, checked before anything is asked of it.
 *
 * @throws ConnectorError `catalogue.bad_url`, `catalogue.forbidden_host`
 */
export const checkedUrl = (text: string, options: ClientOptions): URL => {
  const shown = text.split('?')[0]!.slice(0, 200)
  const { allowPrivate = false, hosts, ports = [] } = options
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new ConnectorError('catalogue.bad_url', `${shown} is not a URL`)
  }
  if (!(url.protocol === 'https:' || url.protocol === 'http:'))
    throw new ConnectorError('catalogue.bad_url', `${shown}: must be https`)
  if (url.protocol === 'http:' && !allowPrivate)
    throw new ConnectorError('catalogue.bad_url', `${shown}: must be https, not http`)
  if (url.username || url.password)
    throw new ConnectorError('catalogue.bad_url', `${url.host}: no user name in a URL`)
  const host = bare(url.hostname)
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  if (!allowPrivate && ![...PORTS, ...ports].includes(port))
    throw new ConnectorError('catalogue.forbidden_host', `port ${port} of ${host} is not allowed`)
  if (!hostAllowed(host, hosts))
    throw new ConnectorError(
      'catalogue.forbidden_host',
      `${host} is not one of the catalogue's hosts (${hosts.join(', ')})`,
    )
  if (!allowPrivate && isIP(host) && !isPublic(host))
    throw new ConnectorError('catalogue.forbidden_host', `${host} is not a public address`)
  return url
}

/** Resolves and checks in one go, so the connection goes to an address that was checked. */
const pinned =
  (allowPrivate: boolean, resolve: Resolve): LookupFunction =>
  (host, _options, done) => {
    resolve(host).then(
      (found) => {
        const wrong = allowPrivate ? undefined : found.find(({ address }) => !isPublic(address))
        if (wrong || found.length === 0) {
          const why = wrong ? `${host} is not a public address` : `${host} has no address`
          return done(new ConnectorError('catalogue.forbidden_host', why), '', 4)
        }
        const all = found.map(({ address, family }) => ({ address, family }))
        if (_options.all) return (done as unknown as (e: null, all: Resolved[]) => void)(null, all)
        done(null, all[0]!.address, all[0]!.family)
      },
      (error: Error) => done(error, '', 4),
    )
  }

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
}
/** Codings of codings are allowed (RFC 9110 8.4), but nobody sends more than two. */
const MOST_CODINGS = 2

/** The body without its Content-Encoding, which some servers give though nobody asked for it. */
const decoded = (answer: IncomingMessage, host: string): AsyncIterable<Buffer> => {
  const named = (answer.headers['content-encoding'] ?? '').split(',')
  const codings = named
    .map((one) => one.trim().toLowerCase())
    .filter((one) => one !== '' && one !== 'identity')
  const known = codings.every((one) => Object.hasOwn(DECODERS, one))
  if (!known || codings.length > MOST_CODINGS) {
    answer.destroy()
    throw new ConnectorError(
      'catalogue.bad_answer',
      `${host} answers with Content-Encoding ${codings.join(', ').slice(0, 80)}, which nobody asked for`,
    )
  }
  const [first, ...others] = codings.reverse().map((one) => DECODERS[one]!())
  if (!first) return answer
  // Ends all of them when one fails; who reads the last one is told.
  return pipeline([answer, first, ...others], () => undefined) as unknown as Transform
}

const read = async (answer: IncomingMessage, most: number, host: string): Promise<string> => {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of decoded(answer, host)) {
      bytes += chunk.length
      if (bytes > most) {
        answer.destroy()
        throw new ConnectorError('catalogue.too_large', `${host} answers more than ${most} bytes`)
      }
      chunks.push(chunk)
    }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (!/^(Z_|ERR__?Z|ERR_BROTLI|ERR__ERROR)/.test(code)) throw error
    throw new ConnectorError('catalogue.bad_answer', `${host} answers in a broken coding (${code})`)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const once = (url: URL, ask: Ask, options: ClientOptions): Promise<Answer> =>
  new Promise((done, failed) => {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const lookup = pinned(options.allowPrivate ?? false, options.resolve ?? resolveBySystem)
    const request = send(url, {
      method: ask.method ?? 'GET',
      // No compression is asked for; what comes compressed is bounded after it is unpacked.
      headers: { Accept: 'application/json', 'User-Agent': 'geodag', ...ask.headers },
      lookup,
      agent: false,
      timeout: CONNECT_SECONDS * 1000,
      ...(ask.signal ? { signal: ask.signal } : {}),
    })
    request.on('timeout', () => request.destroy(new Error(`silent for ${CONNECT_SECONDS} s`)))
    request.on('error', failed)
    request.on('response', (answer) => {
      read(answer, ask.maxBytes ?? PAGE_BYTES, url.hostname).then(
        (text) =>
          done({ status: answer.statusCode ?? 0, headers: answer.headers, text, url: url.href }),
        failed,
      )
    })
    request.end(ask.body)
  })

const asError = (error: unknown, url: URL, signal: AbortSignal | undefined): Error => {
  if (error instanceof ConnectorError) return error
  if (signal?.aborted) return signal.reason instanceof Error ? signal.reason : (error as Error)
  const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message
  return new ConnectorError('catalogue.unreachable', `${url.hostname} does not answer: ${why}`, {
    mayPass: true,
    cause: error,
  })
}

/** Node reads headers as Latin-1, servers write them in UTF-8. */
const utf8 = (header: string): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(header, 'latin1'))
  } catch {
    return header
  }
}

const REDIRECTS = [301, 302, 303, 307, 308]
const SECRET = /^(authorization|cookie|ocp-apim-subscription-key|x-api-key)$/i

/**
 * A client for URLs that strangers wrote: https alone, listed hosts, every resolved address checked
 * and pinned for the connection, each redirect checked anew (5 at most, without the token on another
 * host), 10 MB a body.
 */
export const secureClient =
  (options: ClientOptions): Send =>
  async (ask) => {
    let [url, now] = [checkedUrl(ask.url, options), ask]
    for (let hops = 0; ; hops++) {
      const answer = await once(url, now, options).catch((error: unknown) => {
        throw asError(error, url, ask.signal)
      })
      const location = utf8(answer.headers.location ?? '')
      if (!REDIRECTS.includes(answer.status) || !location || ask.follow === false) return answer
      if (hops === MAX_REDIRECTS)
        throw new ConnectorError(
          'catalogue.refused',
          `${url.hostname}: more than ${MAX_REDIRECTS} redirects`,
        )
      const to = checkedUrl(
        URL.canParse(location, url.href) ? new URL(location, url).href : location,
        options,
      )
      if (to.origin !== url.origin) {
        const kept = Object.entries(now.headers ?? {}).filter(([name]) => !SECRET.test(name))
        now = { ...now, headers: Object.fromEntries(kept) }
      }
      if (answer.status === 303) {
        const { body: _body, ...rest } = now
        now = { ...rest, method: 'GET' }
      }
      url = to
    }
  }
