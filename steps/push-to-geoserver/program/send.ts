import { type ClientRequest, type IncomingMessage, request as plain } from 'node:http'
import { request as secure } from 'node:https'
import { pipeline } from 'node:stream'
import { rootCertificates } from 'node:tls'
import type { Call, Server } from './client.ts'
import { PushError } from './errors.ts'

export interface Answer {
  readonly status: number
  readonly text: string
  readonly type: string
  /** The start of the text as a message may quote it: without the password */
  readonly words: string
  readonly location?: string | undefined
}

/** Nothing moved for too long: another try may wait as long again. */
export class Silent extends Error {}

const CONNECT_MS = 30_000
/**
 * No limit for a whole upload, which may take hours: what counts is that nothing moves. GeoServer
 * lets one write at a time in and reads no byte of the others meanwhile, so that is long.
 */
const SILENCE_MS = 20 * 60_000
/** No answer that is read here is longer. */
const MOST_BYTES = 8 * 2 ** 20

// Codes of OpenSSL that Node reports where a certificate is not to be trusted.
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ERR_TLS|^EPROTO$|ERR_SSL/

// A file that cannot be read is no matter of the connection.
const NO_FILE = /^(ENOENT|EACCES|EISDIR|EIO)$/

const loginOf = ({ username, password }: Server): string =>
  Buffer.from(`${username}:${password}`, 'utf8').toString('base64')

/** A server may echo what it was sent: the password is in no message and no log. */
const withoutLogin = (server: Server, text: string): string =>
  [loginOf(server), server.password, encodeURIComponent(server.password)]
    .filter(Boolean)
    .reduce((rest, secret) => rest.replaceAll(secret, '***'), text)
    .replace(/(https?:\/\/)[^/\s@]*@/g, '$1')

const textOf = async (response: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length
    if (bytes > MOST_BYTES) throw new Error(`the answer is longer than ${MOST_BYTES / 2 ** 20} MiB`)
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const open = (server: Server, { method, path, body }: Call): ClientRequest => {
  const url = new URL(`${server.url.replace(/\/+$/, '')}/${path}`)
  const headers = {
    authorization: `Basic ${loginOf(server)}`,
    accept: 'application/json, text/plain, */*',
    ...(body ? { 'content-type': body.type, 'content-length': String(body.size) } : {}),
  }
  // The own authority beside the public ones: a proxy in between may have a public certificate.
  const ca = server.ca ? { ca: [...rootCertificates, server.ca] } : {}
  return url.protocol === 'https:'
    ? secure(url, { method, headers, agent: false, ...ca })
    : plain(url, { method, headers, agent: false })
}

/**
 * Sends one request, its body streamed. @returns the answer, or the Error of a connection that may
 * be tried again
 *
 * @throws PushError `geoserver.tls`, `geoserver.unreadable` for a body that is gone; the signal's reason
 */
export const send = (server: Server, call: Call): Promise<Answer | Error> =>
  new Promise((done, fail) => {
    server.signal?.throwIfAborted()
    const request = open(server, call)
    const stop = () => request.destroy(server.signal!.reason)
    server.signal?.addEventListener('abort', stop, { once: true })
    const connecting = setTimeout(
      () => request.destroy(new Error(`no connection in ${CONNECT_MS / 1000} s`)),
      CONNECT_MS,
    )
    let answered = false
    const silence = server.silence ?? SILENCE_MS
    const tooSlow = () => request.destroy(new Silent('the server was silent for too long'))
    let answering: NodeJS.Timeout | undefined
    const ended = () => {
      clearTimeout(connecting)
      clearTimeout(answering)
      server.signal?.removeEventListener('abort', stop)
    }
    const lost = (error: NodeJS.ErrnoException) => {
      if (answered) return
      ended()
      if (server.signal?.aborted) return fail(server.signal.reason)
      if (NO_FILE.test(error.code ?? ''))
        return fail(new PushError('geoserver.unreadable', `the file went away: ${error.message}`))
      if (UNTRUSTED.test(error.code ?? ''))
        return fail(
          new PushError(
            'geoserver.tls',
            `GeoServer's certificate is not trusted (${error.code}): name its authority by GEOSERVER_CA`,
          ),
        )
      const message = error.message || error.code || 'the connection was closed'
      done(error instanceof Silent ? error : new Error(message))
    }
    request.on('socket', (socket) => {
      const ready = () => clearTimeout(connecting)
      socket.once('secureConnect', ready).once('connect', () => {
        if (!('encrypted' in socket)) ready()
      })
    })
    request.setTimeout(silence, tooSlow)
    // An answer is short: one that comes a byte at a time for ever is none.
    request.once('finish', () => (answering ??= setTimeout(tooSlow, silence)))
    request.on('error', lost)
    request.on('response', (response) => {
      clearTimeout(answering)
      answering = setTimeout(tooSlow, silence)
      textOf(response).then((text) => {
        answered = true
        ended()
        // A refusal may come before the body was read: the rest of it is not sent.
        request.destroy()
        const { statusCode = 0, headers } = response
        done({
          status: statusCode,
          text,
          type: headers['content-type'] ?? '',
          words: withoutLogin(server, text).slice(0, 500).trim(),
          location: headers.location && withoutLogin(server, headers.location),
        })
      }, lost)
    })
    if (!call.body) request.end()
    // A server that answers early closes the stream: then its answer counts, not the broken pipe.
    else {
      const body = call.body.open()
      body.once(
        'error',
        (error: NodeJS.ErrnoException) => NO_FILE.test(error.code ?? '') && lost(error),
      )
      pipeline(body, request, (error) => error && setTimeout(lost, 200, error))
    }
  })
