import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import type { Vars } from './context.ts'

/** URLs whose signature is all that they need: whoever has one may read it, in a browser too. */
const SIGNED = /\/v2\/(files\/|tasks\/[^/]+\/logs\/[^/]+\/content$)/

const signed = cors({
  origin: '*',
  allowMethods: ['GET', 'HEAD', 'PUT', 'OPTIONS'],
  allowHeaders: ['Range', 'If-Range', 'Content-Type'],
  exposeHeaders: [
    'Accept-Ranges',
    'Content-Range',
    'Content-Length',
    'ETag',
    'Content-Disposition',
  ],
  maxAge: 86_400,
})

/**
 * CORS (WHATWG Fetch): signed URLs are open to every origin, the API to those that are named. A
 * preflight of another origin gets no word of permission; without CORS_ORIGINS there is none at all.
 */
export const corsFor = (origins: readonly string[]): MiddlewareHandler<Vars> => {
  const api = cors({
    origin: origins.includes('*') ? '*' : [...origins],
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    allowHeaders: [
      ...['Authorization', 'X-API-Key', 'Content-Type', 'Idempotency-Key', 'If-None-Match'],
      ...['Last-Event-ID', 'X-Internal-Token', 'X-Request-Id', 'traceparent', 'tracestate'],
    ],
    exposeHeaders: [
      ...[
        'ETag',
        'Link',
        'Retry-After',
        'Idempotency-Replayed',
        'RateLimit-Limit',
        'RateLimit-Remaining',
      ],
      ...[
        'X-Request-Id',
        'RateLimit-Reset',
        'X-Rate-Limit-Limit',
        'X-Rate-Limit-Remaining',
        'X-Rate-Limit-Reset',
      ],
    ],
    maxAge: 600,
  })
  return (c, next) => {
    if (c.req.header('origin') === undefined) return next()
    const preflight = c.req.header('access-control-request-method') !== undefined
    if (c.req.method === 'OPTIONS' && !preflight) return next()
    if (SIGNED.test(c.req.path)) return signed(c, next)
    return origins.length ? api(c, next) : next()
  }
}
