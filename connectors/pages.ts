import { z } from 'zod'
import { ConnectorError } from './errors.ts'
import type { Answer, Send } from './http.ts'
import { type RawItem, rawItem } from './metadata.ts'

/** What one search may cost. */
export interface Limits {
  readonly items: number
  readonly pages: number
  readonly bytes: number
  readonly seconds: number
}
export const LIMITS: Limits = { items: 5000, pages: 400, bytes: 256 * 1024 * 1024, seconds: 120 }

const PAGE = 100
const SMALLEST_PAGE = 10
const TRIES = 5
const LONGEST_WAIT_MS = 60_000
/** Pages in a row that bring nothing new. */
const ENDLESS = 2

/** ms since 1970, both ends included */
export type Interval = readonly [start: number, end: number]
export interface PageRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Readonly<Record<string, unknown>>
}
export interface Walk {
  readonly send: Send
  /** The first request of an interval; null: without a datetime */
  readonly first: (interval: Interval | null, limit: number) => PageRequest
  readonly limits: Limits
  readonly signal: AbortSignal
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
}

const page = z.looseObject({
  features: z.array(z.unknown()),
  links: z
    .array(z.looseObject({ rel: z.string().optional(), href: z.string().optional() }))
    .nullish(),
})
type Page = z.output<typeof page>
type Link = NonNullable<Page['links']>[number]

/** The server cannot make so large a page. */
class PageTooLarge extends Error {}
/** This page fails always: other pages of other intervals may not. */
class PageFails extends Error {}

export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((done, failed) => {
    signal.throwIfAborted()
    const end = () => failed(signal.reason)
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', end)
      done()
    }, ms)
    signal.addEventListener('abort', () => (clearTimeout(timer), end()), { once: true })
  })

/** Seconds or a date. @see RFC 9110 10.2.3 */
const retryAfter = (header: string | undefined): number | undefined => {
  if (!header) return undefined
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

/** Statuses that may pass; Earth Search throttles with a 403 of its own. */
const passes = ({ status, text }: Answer): boolean =>
  [429, 502, 503, 504].includes(status) ||
  (status === 403 && /^\s*\{\s*"message"\s*:\s*"(Forbidden|Limit Exceeded)"\s*\}\s*$/.test(text))

/** A server may repeat what it was sent. */
const TOKEN = /(?<=bearer\s+)[^\s"',}]+/gi
const HEADER = /^(x-[a-z0-9-]{1,60}|accept|prefer)$/i

/** What the `next` link asks for, on the same host. @see STAC API 1.0, item search, paging */
export const nextRequest = (link: Link, now: PageRequest): PageRequest => {
  const to = link.href ?? ''
  const url = URL.canParse(to, now.url) ? new URL(to, now.url) : undefined
  const own = new URL(now.url)
  if (!url || url.hostname !== own.hostname || url.username || url.password)
    throw new ConnectorError(
      'catalogue.forbidden_host',
      `the next page of ${own.hostname} is on another host: ${to.split('?')[0]!.slice(0, 200)}`,
    )
  // A server behind a proxy writes the scheme and the port that it sees itself.
  const href = own.origin + url.pathname + url.search
  const more = Object.entries((link.headers ?? {}) as Record<string, unknown>).filter(
    ([name, value]) => HEADER.test(name) && typeof value === 'string' && /^[ -~]*$/.test(value),
  ) as [string, string][]
  const headers = { ...now.headers, ...Object.fromEntries(more) }
  if (String(link.method ?? 'GET').toUpperCase() !== 'POST')
    return { method: 'GET', url: href, headers }
  const body = (link.body ?? {}) as Record<string, unknown>
  const whole = link.merge === true || link.body === undefined ? { ...now.body, ...body } : body
  return { method: 'POST', url: href, headers, body: whole }
}

/** One walk's purse: pages, bytes, items and the size of a page are counted over all intervals. */
class Walker {
  #pages = 0
  #bytes = 0
  #limit = PAGE
  readonly #walk: Walk
  readonly found = new Map<string, RawItem>()
  readonly warnings: string[] = []

  constructor(walk: Walk) {
    this.#walk = walk
  }

  /** Asks until an answer comes that waiting does not better. */
  async #ask(request: PageRequest): Promise<Answer> {
    const { send, signal, wait = pause, limits } = this.#walk
    const { body, ...rest } = request
    const json = body ? { 'Content-Type': 'application/json' } : {}
    for (let tries = 0; ; tries++) {
      signal.throwIfAborted()
      if (++this.#pages > limits.pages) throw tooMany('pages', limits.pages)
      let answer: Answer | undefined
      let failure: unknown
      try {
        answer = await send({
          ...{ ...rest, signal, headers: { ...json, ...request.headers } },
          ...(body ? { body: JSON.stringify(body) } : {}),
        })
      } catch (error) {
        failure = error
        if (!(error instanceof ConnectorError && error.mayPass)) throw error
      }
      if (answer && [413, 502].includes(answer.status) && this.#limit > SMALLEST_PAGE)
        throw new PageTooLarge()
      if (answer && !passes(answer)) return answer
      if (tries === TRIES) {
        if (!answer) throw failure
        throw new ConnectorError(
          'catalogue.unavailable',
          `${new URL(request.url).hostname} answers ${answer.status} after ${TRIES} more tries: try again later`,
          { mayPass: true },
        )
      }
      const asked = retryAfter(answer?.headers['retry-after'])
      const own = 500 * 2 ** tries * (0.5 + Math.random())
      await wait(Math.min(asked ?? own, LONGEST_WAIT_MS), signal)
    }
  }

  async #page(request: PageRequest): Promise<Page> {
    const answer = await this.#ask(request)
    const host = new URL(request.url).hostname
    this.#bytes += answer.text.length
    if (this.#bytes > this.#walk.limits.bytes) throw tooMany('bytes', this.#walk.limits.bytes)
    if (answer.status >= 500) throw new PageFails(`${host} answers ${answer.status}`)
    if (answer.status >= 400)
      throw new ConnectorError(
        'catalogue.refused',
        `${host} answers ${answer.status}: ${answer.text.slice(0, 300).replace(TOKEN, '***')}`,
      )
    let json: unknown
    try {
      json = JSON.parse(answer.text)
    } catch {
      throw new ConnectorError('catalogue.bad_answer', `${host} does not answer JSON`)
    }
    const parsed = page.safeParse(json)
    if (!parsed.success)
      throw new ConnectorError('catalogue.bad_answer', `${host} does not answer a list of items`)
    return parsed.data
  }

  #take(features: readonly unknown[], seen: Set<string>): number {
    const before = seen.size
    for (const feature of features) {
      const parsed = rawItem.safeParse(feature)
      if (!parsed.success) {
        const [issue] = parsed.error.issues
        this.warnings.push(`an item is not STAC: ${issue?.path.join('.')}: ${issue?.message}`)
        continue
      }
      seen.add(parsed.data.id)
      this.found.set(parsed.data.id, parsed.data)
    }
    if (this.found.size > this.#walk.limits.items) throw tooMany('items', this.#walk.limits.items)
    return seen.size - before
  }

  async #pages_(interval: Interval | null): Promise<void> {
    const seen = new Set<string>()
    let request: PageRequest | undefined = this.#walk.first(interval, this.#limit)
    for (let barren = 0; request;) {
      const { features, links } = await this.#page(request)
      barren = this.#take(features, seen) ? 0 : barren + 1
      const next: Link | undefined = links?.find(({ rel }) => rel === 'next')
      if (next && barren >= ENDLESS)
        throw new ConnectorError(
          'catalogue.endless',
          `${new URL(request.url).hostname} goes on without new items: its paging does not end`,
        )
      request = next && nextRequest(next, request)
    }
  }

  /** All items of an interval, with smaller pages or half the time where a page cannot be had. */
  async collect(interval: Interval | null): Promise<void> {
    for (;;)
      try {
        return await this.#pages_(interval)
      } catch (error) {
        // Anew from the first page: a page number counts pages of one size.
        if (error instanceof PageTooLarge) {
          this.#limit = Math.max(SMALLEST_PAGE, Math.floor(this.#limit / 2))
          continue
        }
        if (!(error instanceof PageFails)) throw error
        if (!interval || interval[1] - interval[0] < 1000)
          throw new ConnectorError('catalogue.unavailable', error.message, { mayPass: true })
        const middle = Math.floor((interval[0] + interval[1]) / 2)
        await this.collect([interval[0], middle])
        return this.collect([middle + 1, interval[1]])
      }
  }
}

const tooMany = (what: string, most: number): ConnectorError =>
  new ConnectorError(
    'catalogue.too_many',
    `the search gives more than ${most} ${what}: ask for a smaller box or fewer days`,
  )

/**
 * Every item of an interval, over all pages, each id once.
 *
 * Follows the four styles of `next`, halves a page that is too large, waits as told, and splits the
 * time where one page always fails.
 *
 * @throws ConnectorError `catalogue.*`; what may pass says so
 */
export const allItems = async (
  walk: Walk,
  interval: Interval | null,
): Promise<{ items: RawItem[]; warnings: readonly string[] }> => {
  const walker = new Walker(walk)
  await walker.collect(interval)
  return { items: [...walker.found.values()], warnings: walker.warnings }
}
