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
  readonly location?: string | undefined
}

const CONNECT_MS = 30_000
/**
 * No limit for a whole upload, which may take hours: what counts is that nothing moves. GeoServer
 * lets one write at a time in and reads no byte of the others meanwhile, so that is long.
 */
const SILENCE_MS = 20 * 60_000
/** Of an error page nobody needs more. */
const MOST_BYTES = 8 * 2 ** 20

// Codes of OpenSSL that Node reports where a certificate is not to be trusted.
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ERR_TLS|^EPROTO$|ERR_SSL/

const textOf = async (response: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length
    if (bytes <= MOST_BYTES) chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const open = (server: Server, { method, path, body }: Call): ClientRequest => {
  const url = new URL(`${server.url.replace(/\/+$/, '')}/${path}`)
  const login = Buffer.from(`${server.username}:${server.password}`, 'utf8').toString('base64')
  const headers = {
    authorization: `Basic ${login}`,
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
 * @throws PushError `geoserver.tls`; the signal's reason
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
    const lost = (error: Error & { code?: string }) => {
      if (answered) return
      clearTimeout(connecting)
      server.signal?.removeEventListener('abort', stop)
      if (server.signal?.aborted) return fail(server.signal.reason)
      if (UNTRUSTED.test(error.code ?? ''))
        return fail(
          new PushError(
            'geoserver.tls',
            `GeoServer's certificate is not trusted (${error.code}): name its authority by GEOSERVER_CA`,
          ),
        )
      done(new Error(error.message || error.code || 'the connection was closed'))
    }
    request.on('socket', (socket) => {
      const ready = () => clearTimeout(connecting)
      socket.once('secureConnect', ready).once('connect', () => {
        if (!('encrypted' in socket)) ready()
      })
    })
    request.setTimeout(server.silence ?? SILENCE_MS, () =>
      request.destroy(new Error('the server was silent for too long')),
    )
    request.on('error', lost)
    request.on('response', (response) => {
      textOf(response).then((text) => {
        answered = true
        clearTimeout(connecting)
        server.signal?.removeEventListener('abort', stop)
        // A refusal may come before the body was read: the rest of it is not sent.
        request.destroy()
        const { statusCode = 0, headers } = response
        done({
          status: statusCode,
          text,
          type: headers['content-type'] ?? '',
          location: headers.location,
        })
      }, lost)
    })
    if (!call.body) request.end()
    // A server that answers early closes the stream: then its answer counts, not the broken pipe.
    else pipeline(call.body.open(), request, (error) => error && setTimeout(lost, 200, error))
  })
