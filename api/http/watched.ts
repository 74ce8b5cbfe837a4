import type { MiddlewareHandler } from 'hono'
import { log } from '../watch/log.ts'
import { contextOf, inSpan, spanFailed, validTraceparent } from '../watch/tracing.ts'
import type { Vars } from './context.ts'

/** Asked every few seconds by machines: no spans, and lines only where all is logged. */
const PROBES = /(^|\/)(health\/|metrics$)/
const REQUEST_ID = /^[\w.:-]{1,128}$/

/** The level of a request's line: what changes something or went wrong is told, the rest is detail. */
const levelOf = (method: string, status: number): 'error' | 'info' | 'debug' => {
  if (status >= 500) return 'error'
  return ['GET', 'HEAD', 'OPTIONS'].includes(method) && status < 400 ? 'debug' : 'info'
}

/** Gives each request an id (`X-Request-Id`, the client's where it sent one), a span and a line. */
export const watched: MiddlewareHandler<Vars> = async (c, next) => {
  const began = performance.now()
  const given = c.req.header('x-request-id')
  const request = given && REQUEST_ID.test(given) ? given : crypto.randomUUID()
  c.set('request', request)
  const { method, path } = c.req
  const handle = async () => {
    await next()
    c.header('X-Request-Id', request)
    const { status } = c.res
    log[levelOf(method, status)](
      {
        ...{ request, method, path, route: c.get('pattern'), status },
        user: c.get('identity')?.email,
        inference: /\/inference\/([0-9a-f-]{36})/.exec(path)?.[1],
        ms: Math.round(performance.now() - began),
      },
      `${method} ${path} ${status}`,
    )
  }
  if (PROBES.test(path)) return handle()
  const parent = contextOf(validTraceparent(c.req.header('traceparent')))
  const attributes = { 'http.request.method': method, 'url.path': path, 'geodag.request': request }
  await inSpan('request', { name: method, attributes, parent }, async (span) => {
    await handle()
    const route = c.get('pattern')
    if (route) span.updateName(`${method} ${route}`).setAttribute('http.route', route)
    span.setAttribute('http.response.status_code', c.res.status)
    if (c.res.status >= 500) spanFailed(span, String(c.res.status))
  })
}
