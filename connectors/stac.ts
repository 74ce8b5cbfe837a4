import { keyOf, remembered } from './cache.ts'
import type { Connector, Found, Parts, Query } from './connector.ts'
import { withoutDuplicates } from './duplicates.ts'
import { ConnectorError } from './errors.ts'
import { type Candidate, bandSource, type Frame, freeze } from './freeze.ts'
import { type Box, grown, withinWorld } from './geometry.ts'
import { type RawItem, tileName, tileOf, timeOf } from './metadata.ts'
import { allItems, type Interval, LIMITS, type PageRequest } from './pages.ts'

const HOUR = 3600
const DAY = 24 * HOUR
/** Servers lose items whose border a small box touches; the true overlap is tested here. */
const MARGIN_DEGREES = 0.01
const MOST_WARNINGS = 50

const bad = (message: string): never => {
  throw new ConnectorError('connector.bad_query', message)
}

const checkBox = ([west, south, east, north]: Box): void => {
  const sound =
    [west, south, east, north].every(Number.isFinite) &&
    [west, east].every((lon) => Math.abs(lon) <= 180) &&
    south >= -90 &&
    north <= 90 &&
    south < north &&
    west !== east
  if (!sound)
    bad(`bbox [${[west, south, east, north].join(', ')}]: west, south, east, north in degrees`)
}

/** An end in whole seconds holds that whole second: items carry milliseconds. */
const intervalOf = ({ start, end }: Query['interval']): Interval => {
  const [from, to] = [Date.parse(start), Date.parse(end)]
  if (Number.isNaN(from) || Number.isNaN(to)) return bad(`interval ${start}/${end}: not ISO 8601`)
  const last = to % 1000 === 0 ? to + 999 : to
  if (last < from) bad(`interval ${start}/${end} ends before it starts`)
  return [from, last]
}

/** Never an instant, never a bare date: neither is understood everywhere. */
const datetimeOf = ([from, to]: Interval): string =>
  [from, to].map((time) => new Date(time).toISOString()).join('/')

type Filter = 'cql2' | 'query' | 'here'

/** Which of the two filter extensions a server announces, by its classes' ends, not their versions. */
const filterOf = (conformsTo: unknown): Filter => {
  const classes = Array.isArray(conformsTo) ? conformsTo.map(String) : []
  const has = (pattern: RegExp): boolean => classes.some((one) => pattern.test(one))
  if (has(/item-search#filter$/) && has(/cql2-json$/)) return 'cql2'
  return has(/item-search#query$/) ? 'query' : 'here'
}

const jsonOf = async (parts: Parts, path: string, signal: AbortSignal) => {
  const url = parts.target.url + path
  const answer = await parts.send({ url, signal, headers: authorization(parts) })
  let body: unknown
  try {
    body = JSON.parse(answer.text)
  } catch {
    body = undefined
  }
  return { status: answer.status, body }
}

const authorization = ({ row, credentials }: Parts): Record<string, string> => {
  const token = row.account === 'token' ? credentials.tokens?.[row.source.connector] : undefined
  return token ? { Authorization: `Bearer ${token}` } : {}
}

const announced = (parts: Parts, signal: AbortSignal): Promise<Filter> =>
  remembered(parts.store, keyOf('conformance', parts.target.url), DAY, async () => {
    const { status, body } = await jsonOf(parts, '/', signal)
    return status === 200 ? filterOf((body as { conformsTo?: unknown })?.conformsTo) : 'here'
  })

/** A server answers an unknown collection with no items: only an empty answer makes one ask. */
const checkCollection = async (parts: Parts, signal: AbortSignal): Promise<void> => {
  const { collection, url } = parts.target
  const status = await remembered(
    parts.store,
    keyOf('collection', url, collection),
    DAY,
    async () =>
      (await jsonOf(parts, `/collections/${encodeURIComponent(collection)}`, signal)).status,
  )
  if (status === 404)
    throw new ConnectorError(
      'catalogue.unknown_collection',
      `${new URL(url).hostname} has no collection ${collection}`,
    )
}

/** At most one filter, and that of the tile: cloud cover chooses days later, never items. */
const filterBody = (parts: Parts, tile: string | undefined, filter: Filter): object => {
  const { tile: field } = parts.target
  if (!tile || !field || filter === 'here') return {}
  const value = field.prefix + tile
  if (filter === 'query') return { query: { [field.property]: { eq: value } } }
  const args = [{ property: field.property }, value]
  return { 'filter-lang': 'cql2-json', filter: { op: '=', args } }
}

interface Asked {
  readonly parts: Parts
  readonly query: Query
  readonly interval: Interval
  readonly signal: AbortSignal
  readonly headers: Readonly<Record<string, string>>
  /** Besides collections, bbox, datetime, limit */
  readonly body: object
}

const searchAll = async (asked: Asked): Promise<{ raw: RawItem[]; warnings: string[] }> => {
  const { parts, query, interval, signal, headers } = asked
  const { target, send, wait } = parts
  const found = new Map<string, RawItem>()
  const warnings: string[] = []
  for (const bbox of withinWorld(grown(query.bbox, MARGIN_DEGREES))) {
    const first = (part: Interval | null, limit: number): PageRequest => {
      const datetime = part ? { datetime: datetimeOf(part) } : {}
      const body = { collections: [target.collection], bbox, ...datetime, limit, ...asked.body }
      return { method: 'POST', url: `${target.url}/search`, headers, body }
    }
    const limits = { ...LIMITS, ...query.limits }
    const walk = { send, first, limits, signal, ...(wait ? { wait } : {}) }
    const { items, warnings: odd } = await allItems(walk, target.timeless ? null : interval)
    for (const item of items) found.set(item.id, item)
    warnings.push(...odd)
  }
  return { raw: [...found.values()], warnings }
}

/** What a server may have let through: another collection, another time, another tile. */
const wanted = ({ parts, query, interval }: Asked, raw: RawItem): boolean => {
  const { target } = parts
  if (raw.collection && raw.collection !== target.collection) return false
  const { constellation = '', platform = '' } = raw.properties
  const other = target.exclude && new RegExp(target.exclude, 'i')
  if (other && other.test(`${raw.id} ${constellation} ${platform}`)) return false
  const time = timeOf(raw)
  if (!target.timeless && time !== null && (time < interval[0] || time > interval[1])) return false
  return !query.tile || tileOf(raw) === tileName(query.tile)
}

/** Items as a plan keeps them, from what a catalogue answered. */
const frozenItems = (
  asked: Asked,
  raw: readonly RawItem[],
  odd: readonly string[],
  made: Frame['made'],
): Found => {
  const { parts, query } = asked
  const { row, allowPrivate, target } = parts
  const frame: Frame = {
    ...{ row, bbox: query.bbox, bands: query.bands, base: `${target.url}/`, allowPrivate },
    ...(made ? { made } : {}),
  }
  const warnings = [...odd]
  const candidates: Candidate[] = []
  let forbidden: string | undefined
  for (const one of raw) {
    const taken = wanted(asked, one) ? freeze(one, frame) : undefined
    if (!taken) continue
    if ('item' in taken) candidates.push(taken)
    else {
      warnings.push(taken.leftOut)
      if (taken.forbidden) forbidden ??= taken.leftOut
    }
  }
  // Not an empty answer: the catalogue has scenes, and the operator lists other hosts.
  if (candidates.length === 0 && forbidden)
    throw new ConnectorError('source.forbidden_host', forbidden)
  const items = withoutDuplicates(candidates)
    .map(({ item }) => item)
    .toSorted((a, b) => (a.datetime + a.id < b.datetime + b.id ? -1 : 1))
  return { items, warnings: warnings.slice(0, MOST_WARNINGS) }
}

const asTimeout = (error: unknown, seconds: number, deadline: AbortSignal): unknown =>
  deadline.aborted && !(error instanceof ConnectorError && !error.mayPass)
    ? new ConnectorError('catalogue.timeout', `the search took longer than ${seconds} s`, {
        mayPass: true,
        cause: error,
      })
    : error

/** A STAC API's items; the two kinds differ in their token and in what they ask for besides. */
export const searchWith =
  (
    parts: Parts,
    headersOf: (signal: AbortSignal) => Promise<Record<string, string>>,
    bodyOf: (query: Query, signal: AbortSignal) => Promise<object>,
    made?: Frame['made'],
  ): Connector['search'] =>
  async (query) => {
    checkBox(query.bbox)
    const interval = intervalOf(query.interval)
    for (const name of query.bands) bandSource(parts.row, name)
    const { seconds } = { ...LIMITS, ...query.limits }
    const deadline = AbortSignal.timeout(seconds * 1000)
    const signal = query.signal ? AbortSignal.any([query.signal, deadline]) : deadline
    const tile = query.tile === undefined ? null : tileName(query.tile)
    const asked = [query.bbox, interval, query.bands, tile, parts.allowPrivate]
    const key = keyOf('search', parts.row, ...asked)
    try {
      return await remembered(parts.store, key, HOUR, async () => {
        const headers = await headersOf(signal)
        const body = await bodyOf(query, signal)
        const asked = { parts, query, interval, signal, headers, body }
        const { raw, warnings } = await searchAll(asked)
        if (raw.length === 0 && parts.target.kind === 'stac') await checkCollection(parts, signal)
        return frozenItems(asked, raw, warnings, made)
      })
    } catch (error) {
      query.signal?.throwIfAborted()
      throw asTimeout(error, seconds, deadline)
    }
  }

/** Any STAC API: Earth Search, the Planetary Computer, CDSE, CMR-STAC, an operator's own. */
export const stacConnector = (parts: Parts): Connector => ({
  search: searchWith(
    parts,
    async () => authorization(parts),
    async ({ tile }, signal) =>
      tile && parts.target.tile
        ? filterBody(parts, tileName(tile), await announced(parts, signal))
        : {},
  ),
})
