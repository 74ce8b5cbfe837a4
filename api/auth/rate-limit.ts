import { HttpError } from '../http/errors.ts'

export interface Limit {
  readonly limit: number
  readonly remaining: number
  /** Seconds until the oldest counted request leaves the window */
  readonly reset: number
}

/** A limit, and whether the request is beyond it. */
export type Counted = Limit & { readonly over: boolean }

/** Sliding window per key, in this process. @see docs/wire.md#conventions */
export class RateLimiter {
  private readonly hits = new Map<string, number[]>()
  private readonly windowMs: number
  private swept = Date.now()

  constructor(windowSeconds: number) {
    this.windowMs = windowSeconds * 1000
  }

  /** Counts one request. */
  count(key: string, limit: number, now = Date.now()): Counted {
    this.sweep(now)
    const recent = (this.hits.get(key) ?? []).filter((time) => time > now - this.windowMs)
    const over = recent.length >= limit
    if (!over) recent.push(now)
    this.hits.set(key, recent)
    const reset = Math.max(1, Math.ceil(((recent[0] ?? now) + this.windowMs - now) / 1000))
    return { limit, remaining: Math.max(0, limit - recent.length), reset, over }
  }

  private sweep(now: number): void {
    if (now - this.swept < this.windowMs) return
    this.swept = now
    for (const [key, times] of this.hits)
      if ((times.at(-1) ?? 0) <= now - this.windowMs) this.hits.delete(key)
  }
}

/** Old names and the IETF draft's (draft-ietf-httpapi-ratelimit-headers). */
export const limitHeaders = ({ limit, remaining, reset }: Limit): Record<string, string> => ({
  'X-Rate-Limit-Limit': String(limit),
  'X-Rate-Limit-Remaining': String(remaining),
  'X-Rate-Limit-Reset': String(reset),
  'RateLimit-Limit': String(limit),
  'RateLimit-Remaining': String(remaining),
  'RateLimit-Reset': String(reset),
})

export const exceeded = (limit: number, seconds: number): HttpError =>
  new HttpError(429, [
    { msg: `Rate limit exceeded. Allowed ${limit} requests in ${seconds} seconds.` },
  ])
