import { expect, onTestFinished, test } from 'vitest'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { stacItem } from '../test/support/stac-items.ts'
import { secureClient } from './http.ts'
import { allItems, type Interval, nextRequest, type Walk } from './pages.ts'

const START = Date.UTC(2024, 5, 10, 10)
const scenes = Array.from({ length: 250 }, (_, n) => ({
  time: START + n * 1000,
  item: stacItem({ id: `s-${n}`, datetime: new Date(START + n * 1000).toISOString() }),
}))
const DAY: Interval = [Date.UTC(2024, 5, 10), Date.UTC(2024, 5, 11) - 1]

type Style = 'body' | 'merge' | 'href' | 'endless' | 'elsewhere' | 'empty'
interface Asked {
  readonly method: string
  readonly page: number
  readonly limit: number
  readonly datetime: string
}
interface Reply {
  readonly status: number
  readonly headers?: Record<string, string>
  readonly text?: string
}

const bodyOf = async (request: IncomingMessage): Promise<any> => {
  let text = ''
  for await (const chunk of request) text += chunk
  return text ? JSON.parse(text) : {}
}

/** A catalogue of 250 scenes, 100 a page at most, that pages in one style and fails as it is told. */
const standIn = async (
  style: Style,
  fault: (asked: Asked, n: number) => Reply | undefined = () => undefined,
) => {
  const log: Asked[] = []
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request)
    const url = new URL(request.url!, `http://${request.headers.host}`)
    const read = (name: string) => body[name] ?? url.searchParams.get(name)
    const page = style === 'endless' ? 1 : Number(read('page') ?? 1)
    const limit = Math.min(Number(read('limit') ?? 10), 100)
    const asked = { method: request.method!, page, limit, datetime: String(read('datetime')) }
    log.push(asked)
    const reply = fault(asked, log.length)
    if (reply) {
      response.writeHead(reply.status, reply.headers)
      return response.end(reply.text ?? '{"message":"fault"}')
    }
    const [from, to] = asked.datetime.split('/').map((text) => Date.parse(text))
    const all = scenes.filter(({ time }) => time >= from! && time <= to!)
    const part = style === 'empty' ? [] : all.slice((page - 1) * limit, page * limit)
    const more = style === 'endless' || style === 'empty' || page * limit < all.length
    const query = new URLSearchParams({ page: String(page + 1), limit: String(limit) })
    query.set('datetime', asked.datetime)
    const next = {
      body: { method: 'POST', href: url.origin + url.pathname, body: { ...body, page: page + 1 } },
      merge: { method: 'POST', href: url.pathname, body: { page: page + 1 }, merge: true },
      href: { href: `https://${url.host}/search?${query}` },
      endless: { method: 'POST', href: url.href, body: { page: page + 1 }, merge: true },
      empty: { method: 'POST', href: url.href, body: { page: page + 1 }, merge: true },
      elsewhere: { method: 'POST', href: 'https://evil.example.org/search', body },
    }[style]
    const links = [{ rel: 'self', href: url.href }, ...(more ? [{ rel: 'next', ...next }] : [])]
    const text = JSON.stringify({ features: part.map(({ item }) => item), links })
    response.writeHead(200, { 'Content-Type': 'application/geo+json' }).end(text)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, log }
}

const walkOf = (url: string, more: Partial<Walk> = {}) => {
  const waits: number[] = []
  const walk: Walk = {
    send: secureClient({ hosts: ['127.0.0.1'], allowPrivate: true }),
    first: (interval, limit) => ({
      ...{ method: 'POST', url: `${url}/search`, headers: { 'X-Mine': 'kept' } },
      body: {
        datetime: interval!.map((time) => new Date(time).toISOString()).join('/'),
        limit,
      },
    }),
    limits: { items: 1000, pages: 200, bytes: 1e8, seconds: 60 },
    signal: AbortSignal.timeout(60_000),
    wait: async (ms) => void waits.push(ms),
    ...more,
  }
  return { walk, waits }
}
const distinct = async (walk: Walk) =>
  new Set((await allItems(walk, DAY)).items.map(({ id }) => id)).size

test.each(['body', 'merge', 'href'] as const)('paging by %s: every item once', async (style) => {
  const { url, log } = await standIn(style)
  expect(await distinct(walkOf(url).walk)).toBe(250)
  expect(log.map(({ method }) => method)).toEqual(
    style === 'href' ? ['POST', 'GET', 'GET'] : ['POST', 'POST', 'POST'],
  )
  expect(log.map(({ page }) => page)).toEqual([1, 2, 3])
  expect(new Set(log.map(({ datetime }) => datetime)).size).toBe(1)
})

test.each(['endless', 'empty'] as const)('paging that is %s ends with an error', async (style) => {
  const { url, log } = await standIn(style)
  await expect(distinct(walkOf(url).walk)).rejects.toMatchObject({ code: 'catalogue.endless' })
  expect(log.length).toBe(style === 'endless' ? 3 : 2)
})

test('a next page on another host is not asked for', async () => {
  const { url, log } = await standIn('elsewhere')
  await expect(distinct(walkOf(url).walk)).rejects.toMatchObject({
    code: 'catalogue.forbidden_host',
  })
  expect(log).toHaveLength(1)
})

test.each([502, 413])('%i for large pages: smaller ones', async (status) => {
  const { url, log } = await standIn('merge', ({ limit }) => (limit > 50 ? { status } : undefined))
  const { walk, waits } = walkOf(url)
  expect(await distinct(walk)).toBe(250)
  expect(log.map(({ limit }) => limit)).toEqual([100, 50, 50, 50, 50, 50])
  expect(waits).toEqual([])
})

test('a page that becomes too large in the middle is not lost', async () => {
  const { url } = await standIn('href', ({ page, limit }) =>
    page === 2 && limit > 50 ? { status: 502 } : undefined,
  )
  expect(await distinct(walkOf(url).walk)).toBe(250)
})

test('429 once: waits as long as it is told', async () => {
  const { url } = await standIn('body', (_, n) =>
    n === 2 ? { status: 429, headers: { 'Retry-After': '1' } } : undefined,
  )
  const { walk, waits } = walkOf(url)
  expect(await distinct(walk)).toBe(250)
  expect(waits).toEqual([1000])
})

test.each([
  ['503', 503, '{}', 6],
  ["Earth Search's own 403", 403, '{"message":"Forbidden"}', 6],
  ['a 403 of no account', 403, '{"detail":"no"}', 1],
  ['400', 400, '{"detail":"bad"}', 1],
])('%s for ever', async (_, status, text, asks) => {
  const { url, log } = await standIn('body', () => ({ status, text }))
  const { walk, waits } = walkOf(url)
  await expect(distinct(walk)).rejects.toMatchObject(
    asks > 1
      ? { code: 'catalogue.unavailable', mayPass: true }
      : { code: 'catalogue.refused', mayPass: false },
  )
  expect(log).toHaveLength(asks)
  expect(waits.every((ms, n) => ms >= 250 * 2 ** n && ms <= 750 * 2 ** n)).toBe(true)
})

test('a second page that always fails: the time is split until one page holds it', async () => {
  const { url } = await standIn('merge', ({ page }) => (page === 2 ? { status: 500 } : undefined))
  expect(await distinct(walkOf(url).walk)).toBe(250)
})

test('what fails however small the time is said, within a bound of requests', async () => {
  const { url, log } = await standIn('merge', () => ({ status: 500 }))
  await expect(distinct(walkOf(url).walk)).rejects.toMatchObject({ code: 'catalogue.unavailable' })
  expect(log.length).toBeLessThan(40)
})

test.each([
  ['items', { items: 150 }],
  ['pages', { pages: 2 }],
  ['bytes', { bytes: 1000 }],
])('more %s than allowed: the search ends', async (_, limit) => {
  const { url } = await standIn('body')
  const { walk } = walkOf(url)
  const limits = { ...walk.limits, ...limit }
  await expect(distinct({ ...walk, limits })).rejects.toMatchObject({ code: 'catalogue.too_many' })
})

test.each([
  ['<html>log in</html>', 'catalogue.bad_answer'],
  ['[]', 'catalogue.bad_answer'],
  ['{"features": 7}', 'catalogue.bad_answer'],
])('%s is no list of items', async (text, code) => {
  const { url } = await standIn('body', () => ({ status: 200, text }))
  await expect(distinct(walkOf(url).walk)).rejects.toMatchObject({ code })
})

test('an item that is not STAC is left out with a word, the others stay', async () => {
  const features = [
    { id: 7 },
    null,
    'x',
    scenes[0]!.item,
    { id: 'a', properties: null, assets: {} },
  ]
  const text = JSON.stringify({ features, links: null })
  const { url } = await standIn('body', () => ({ status: 200, text }))
  const { items, warnings } = await allItems(walkOf(url).walk, DAY)
  expect(items.map(({ id }) => id)).toEqual(['s-0'])
  expect(warnings).toHaveLength(4)
})

const now = {
  ...({ method: 'POST', url: 'https://stac.example.org/v1/search' } as const),
  headers: { Authorization: 'Bearer t' },
  body: { limit: 100, bbox: [0, 0, 1, 1] },
}
test('the next request keeps scheme, host and token; other headers of the link are checked', () => {
  const link = {
    ...{ rel: 'next', href: 'http://stac.example.org:8080/v1/search?token=2', method: 'post' },
    body: { token: 'n' },
    headers: { 'x-page': '2', Authorization: 'Bearer other', Host: 'evil', 'x-bad': 'a\r\nb' },
  }
  expect(nextRequest(link, now)).toEqual({
    method: 'POST',
    url: 'https://stac.example.org/v1/search?token=2',
    headers: { Authorization: 'Bearer t', 'x-page': '2' },
    body: { token: 'n' },
  })
  expect(nextRequest({ ...link, merge: true }, now)).toMatchObject({
    body: { limit: 100, bbox: [0, 0, 1, 1], token: 'n' },
  })
})

test.each([
  'https://evil.example.org/',
  '//evil.example.org/x',
  'https://stac.example.org.evil.org/x',
  'https://stac.example.org@evil.org/x',
  'https://user:pw@stac.example.org/x',
  'http://169.254.169.254/latest',
  'http://127.0.0.1/x',
  'http://[::1]/x',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'https://',
  '\\\\evil.example.org\\x',
])('a next link to %s is refused', (href) => {
  expect(() => nextRequest({ rel: 'next', href }, now)).toThrow(/catalogue.forbidden_host/)
})
