import { expect, test } from 'vitest'
import { BOX_A, SCENES, stacItem } from '../test/support/stac-items.ts'
import { memoryStore } from './cache.ts'
import { findRow } from './catalogue.ts'
import { connectorFor, type Query } from './connector.ts'
import type { Ask, Send } from './http.ts'
import type { CatalogueRow } from './row.ts'

const l2a = findRow('sentinel_aws', 'sentinel-2-l2a')!
const c1 = findRow('earth_search', 'sentinel-2-c1-l2a')!
const pc = findRow('planetary_computer', 'sentinel-2-l2a')!
const LANDING = ['https://api.stacspec.org/v1.0.0/core']
const CQL2 = [
  'https://api.stacspec.org/v1.0.0/item-search#filter',
  'http://www.opengis.net/spec/cql2/1.0/conf/cql2-json',
]
const QUERY = ['https://api.stacspec.org/v1.1.0/item-search#query']

/** A catalogue that answers the same items whatever it is asked: a server that filters nothing. */
const standIn = (items: readonly object[], conformsTo = LANDING, collection = 200) => {
  const asked: Ask[] = []
  const send: Send = async (ask) => {
    asked.push(ask)
    const path = new URL(ask.url).pathname
    const status = path.includes('/collections/') ? collection : 200
    const body = path.endsWith('/search') ? { features: items, links: [] } : { conformsTo }
    return { status, headers: {}, text: JSON.stringify(body), url: ask.url }
  }
  const bodies = () => asked.filter(({ body }) => body).map(({ body }) => JSON.parse(body!))
  return { send, asked, bodies }
}
const G = { bbox: [3.0, 45.1062, 3.1159, 45.1523] as const }
const day = (first: string, last = first) => ({
  interval: { start: `${first}T00:00:00Z`, end: `${last}T23:59:59Z` },
})
const search = (send: Send, query: Partial<Query> = {}, row: CatalogueRow = l2a) =>
  connectorFor(row, { send, store: memoryStore() }).search({
    ...{ ...G, ...day('2024-06-10', '2024-06-30'), bands: ['red', 'scl'], ...query },
  })
const idsOf = async (items: readonly object[], query: Partial<Query> = {}, row = l2a) =>
  (await search(standIn(items).send, query, row)).items.map(({ id }) => id)

test('what a server lets through is checked again: time, box, collection', async () => {
  const others = [
    stacItem({ id: 'far', datetime: '2024-06-10T10:50:31Z', box: [4, 45, 5, 46] }),
    stacItem({ id: 'touching', datetime: '2024-06-10T10:50:31Z', box: [3.1159, 45, 4, 46] }),
    stacItem({ id: 'late', datetime: '2024-07-01T00:00:00Z' }),
    stacItem({ id: 'other', datetime: '2024-06-10T10:50:31Z', collection: 'landsat' }),
    stacItem({ id: 'N', datetime: '2024-06-20T10:50:31.024Z', cloud: null }),
    stacItem({ id: 'last', datetime: '2024-06-30T23:59:59.999Z' }),
  ]
  const { items, warnings } = await search(standIn([...others, ...SCENES.toReversed()]).send)
  expect(items.map(({ id }) => id)).toEqual(['A', 'B', 'C', 'N', 'last'])
  expect(items.map(({ cloud_cover }) => cloud_cover)).toEqual([5, 60, 100, null, 5])
  expect(warnings).toEqual([])
})

test('asked is an interval with milliseconds and a grown box, never a cloud limit or an order', async () => {
  const { send, bodies } = standIn(SCENES)
  await search(send, day('2024-06-10'))
  expect(bodies()).toEqual([
    {
      collections: ['sentinel-2-l2a'],
      bbox: [2.99, 45.0962, 3.1259, 45.1623].map((x) => expect.closeTo(x, 6)),
      datetime: '2024-06-10T00:00:00.000Z/2024-06-10T23:59:59.999Z',
      limit: 100,
    },
  ])
})

test.each([
  [
    CQL2,
    {
      'filter-lang': 'cql2-json',
      filter: { op: '=', args: [{ property: 'grid:code' }, 'MGRS-31TCJ'] },
    },
  ],
  [[...CQL2, ...QUERY], { 'filter-lang': 'cql2-json' }],
  [QUERY, { query: { 'grid:code': { eq: 'MGRS-31TCJ' } } }],
  [LANDING, {}],
])('a tile is asked for as the server says that it understands %j', async (classes, part) => {
  const grid = (id: string, code: string) =>
    stacItem({ id, datetime: '2024-06-11T10:50:31Z', properties: { 'grid:code': code } })
  const { send, bodies } = standIn([grid('T', 'MGRS-31TCJ'), grid('U', 'MGRS-31TDJ')], classes)
  const { items } = await search(send, { tile: 'T31TCJ' })
  expect(items.map(({ id }) => id)).toEqual(['T'])
  expect(bodies()[0]).toMatchObject(part)
  expect(Object.keys(bodies()[0]).filter((key) => /query|filter$/.test(key)).length).toBeLessThan(2)
})

test('over the 180th meridian: two searches, one frame, never the rest of the world', async () => {
  const box = { bbox: [179.6, -17, -179.6, -16.5] as const }
  const time = { datetime: '2024-06-10T01:00:00Z' }
  const items = [
    stacItem({ id: 'E', ...time, box: [179.5, -17, 180, -16.5] }),
    stacItem({ id: 'W', ...time, box: [-180, -17, -179.5, -16.5] }),
    stacItem({ id: 'beyond', ...time, box: [-180.5, -17, -179.9, -16.5] }),
    stacItem({ id: 'around', ...time, box: [-179.95, -17, 179.95, -16.5] }),
    ...SCENES,
  ]
  const { send, bodies } = standIn(items)
  const found = await search(send, box)
  expect(found.items.map(({ id }) => id).sort()).toEqual(['E', 'W', 'around', 'beyond'])
  expect(bodies().map(({ bbox }) => bbox)).toEqual([
    [expect.closeTo(179.59, 6), -17.01, 180, -16.49],
    [-180, -17.01, expect.closeTo(-179.59, 6), -16.49],
  ])
  for (const { footprint } of found.items)
    for (const [lon] of (footprint.coordinates as number[][][])[0]!)
      expect(lon).toSatisfy((x: number) => x >= 179.4 && x <= 180.6)
})

const made = (id: string, baseline: string, more: Partial<Parameters<typeof stacItem>[0]> = {}) =>
  stacItem({
    ...{ id, datetime: '2024-06-10T10:50:31Z', ...more },
    properties: {
      'grid:code': 'MGRS-31TCJ',
      's2:processing_baseline': baseline,
      ...more.properties,
    },
  })
test('a scene processed again is taken once, the newest; the halves of a tile both stay', async () => {
  const [west, south, east, north] = BOX_A
  const middle = (west + east) / 2
  const all = [
    made('X_0', '02.11'),
    made('X_1', '05.00', { datetime: '2024-06-10T10:51:00Z' }),
    made('next_pass', '02.11', { datetime: '2024-06-10T12:30:00Z' }),
    made('Z_old', '05.00', {
      datetime: '2024-06-12T10:50:31Z',
      properties: { updated: '2024-06-12T20:00:00Z' },
    }),
    made('Z_new', '05.00', {
      datetime: '2024-06-12T10:50:31Z',
      properties: { updated: '2024-07-01T00:00:00Z' },
    }),
    made('Y_0', '05.00', {
      datetime: '2024-06-14T10:50:31Z',
      box: [west, south, middle + 0.001, north],
    }),
    made('Y_1', '05.00', { datetime: '2024-06-14T10:50:31Z', box: [middle, south, east, north] }),
  ]
  const wanted = ['X_1', 'next_pass', 'Z_new', 'Y_0', 'Y_1']
  expect(await idsOf(all)).toEqual(wanted)
  expect(await idsOf(all.toReversed())).toEqual(wanted)
})

const raster = (offset: number | null, more: object = {}) => ({
  red: {
    ...(offset === null ? {} : { 'raster:bands': [{ scale: 0.0001, offset, nodata: 0 }] }),
    ...more,
  },
})
const flag = (value: boolean) => ({ 'earthsearch:boa_offset_applied': value })
const C1_HOST = 'https://e84-earth-search-sentinel-data.s3.us-west-2.amazonaws.com/x'
const PC_HOST = 'https://sentinel2l2a01.blob.core.windows.net/sentinel2-l2'
test.each([
  ['c1', c1, '05.11', '2025-01-01', raster(-0.1), {}, C1_HOST, -1000, 0],
  ['l2a, flag false', l2a, '05.11', '2025-01-01', raster(-0.1), flag(false), undefined, 0, 1],
  ['l2a, flag true', l2a, '05.11', '2025-01-01', raster(-0.1), flag(true), undefined, 0, 0],
  ['l2a, early 2022', l2a, '04.00', '2022-01-26', raster(-0.1), flag(false), undefined, -1000, 1],
  ['l2a, old', l2a, '02.14', '2020-01-01', raster(0), {}, undefined, 0, 0],
  ['PC, old baseline', pc, '02.14', '2020-01-01', raster(null), {}, PC_HOST, 0, 0],
  [
    'PC, new baseline of an old day',
    pc,
    '05.00',
    '2016-01-01',
    raster(null),
    {},
    PC_HOST,
    -1000,
    0,
  ],
  ['PC, new baseline', pc, '04.00', '2023-01-01', raster(null), {}, PC_HOST, -1000, 0],
  ['PC, no baseline', pc, '', '2020-01-01', raster(null), {}, PC_HOST, 0, 1],
])(
  'harmonised DN: %s',
  async (_, row, baseline, date, assets, properties, base, offset, warned) => {
    const item = stacItem({
      ...{ id: 'S', datetime: `${date}T10:50:31Z`, collection: row.search!.collection },
      ...{ assets: row === pc ? { B04: assets.red } : assets, ...(base ? { base } : {}) },
      properties: { 's2:processing_baseline': baseline, ...properties },
    })
    const query = { ...day(date), bands: ['red'] }
    const [found] = (await search(standIn([item]).send, query, row)).items
    expect(found!.bands.red).toMatchObject({ scale: 1, offset, nodata: 0 })
    expect(found!.warnings).toHaveLength(warned)
  },
)

test('class bands are codes: no scale, no offset; the catalogue says nodata where the item does not', async () => {
  const [item] = (await search(standIn([SCENES[0]!]).send)).items
  expect(item!.bands.scl).toMatchObject({
    class_band: true,
    scale: 1,
    offset: 0,
    nodata: 0,
    gsd: 20,
  })
  expect(item!.bands.red).toMatchObject({ class_band: false, nodata: 0, gsd: 10, file_band: 1 })
})

const GDAL = [500000, 10, 0, 5000000, 0, -10]
const AFFINE = [10, 0, 500000, 0, -10, 5000000]
test.each([
  [{ 'proj:epsg': 32631 }, {}, 32631],
  [{ 'proj:code': 'EPSG:32631' }, {}, 32631],
  [{ 'proj:code': 32631 }, {}, 32631],
  [{ 'proj:code': 'EPSG:None' }, {}, null],
  [{ 'proj:epsg': null }, {}, null],
  [{}, { 'proj:code': 'EPSG:32632' }, 32632],
  [{ 'proj:epsg': 32631 }, { 'proj:code': 'EPSG:32632' }, 32632],
])('the CRS of %j and an asset of %j', async (properties, asset, epsg) => {
  const grid = { 'proj:transform': [...AFFINE, 0, 0, 1], 'proj:shape': [512, 512] }
  const item = stacItem({
    ...{ id: 'A', datetime: '2024-06-10T10:50:31Z', properties },
    assets: { red: { ...grid, ...asset } },
  })
  const [found] = (await search(standIn([item]).send, { bands: ['red'] })).items
  expect(found!.bands.red).toMatchObject({ epsg, transform: GDAL, shape: [512, 512] })
})

test('a band by its name in a list of bands, in the spellings of STAC 1.0 and 1.1', async () => {
  const row = { ...l2a, hosts: [], source: { ...l2a.source, bands: [] }, bands: {} }
  const assets = {
    stack: { bands: [{ name: 'b1' }, { name: 'b2', nodata: -1, 'raster:scale': 2 }] },
    old: { 'eo:bands': [{ name: 'o1', common_name: 'red' }] },
  }
  const item = stacItem({ id: 'A', datetime: '2024-06-10T10:50:31Z', assets })
  const bands = ['b2', 'red', 'stack']
  const [found] = (
    await search(standIn([item]).send, { bands }, { ...row, radiometry: 'metadata' })
  ).items
  expect(found!.bands.b2).toMatchObject({ file_band: 2, nodata: -1, scale: 2 })
  expect(found!.bands.red).toMatchObject({ file_band: 1 })
  expect(found!.bands.stack!.href).toMatch(/stack\.tif$/)
})

test('what is left out is said: an asset that lacks, no time, SAR in ground range', async () => {
  const time = { datetime: '2024-06-11T10:50:31Z' }
  const items = [
    ...SCENES,
    stacItem({ id: 'D', ...time, assets: { red: {} } }),
    stacItem({ id: 'F', ...time, properties: { datetime: null } }),
    stacItem({ id: 'S', ...time, properties: { 'sar:product_type': 'GRD' } }),
    { ...stacItem({ id: 'P', ...time }), geometry: null, bbox: null },
  ]
  const { items: kept, warnings } = await search(standIn(items).send)
  expect(kept.map(({ id }) => id)).toEqual(['A', 'B', 'C'])
  expect(warnings.map((text) => text.split(' ').slice(0, 2).join(' '))).toEqual([
    ...['D has', 'F has', 'S is', 'P has'],
  ])
  expect(warnings[0]).toContain('no asset for band scl')
})

test('a catalogue whose every href is on a host that is not listed is an error, not an empty answer', async () => {
  const items = SCENES.map((item) => ({
    ...item,
    assets: { red: { href: 'http://10.0.0.1/x.tif' } },
  }))
  await expect(search(standIn(items).send, { bands: ['red'] })).rejects.toMatchObject({
    code: 'source.forbidden_host',
  })
})

test('an answer is kept for an hour, by question; a failure is not', async () => {
  let now = 0
  const store = memoryStore(10, () => now)
  const { send, asked } = standIn(SCENES)
  let broken = true
  const flaky: Send = (ask) => {
    if (broken) throw new Error('broken')
    return send(ask)
  }
  const connector = connectorFor(l2a, { send: flaky, store })
  const query = { ...G, ...day('2024-06-10', '2024-06-30'), bands: ['red'] }
  await expect(connector.search(query)).rejects.toThrow('broken')
  broken = false
  const first = await connector.search(query)
  expect(await connectorFor(l2a, { send, store }).search(query)).toEqual(first)
  expect(asked).toHaveLength(1)
  await connector.search({ ...query, ...day('2024-06-10') })
  await connector.search({ ...query, bands: ['scl'] })
  expect(asked).toHaveLength(3)
  now = 3600_001
  await connector.search(query)
  expect(asked).toHaveLength(4)
})

test.each([
  [{ bbox: [3, 46, 4, 45] as const }, 'connector.bad_query'],
  [{ bbox: [3, 45, 3, 46] as const }, 'connector.bad_query'],
  [{ bbox: [3, 45, 400, 46] as const }, 'connector.bad_query'],
  [{ bbox: [NaN, 45, 4, 46] as const }, 'connector.bad_query'],
  [day('2024-06-30', '2024-06-10'), 'connector.bad_query'],
  [day('soon'), 'connector.bad_query'],
  [{ bands: ['B99'] }, 'connector.unknown_band'],
])('%j is refused before anything is asked', async (query, code) => {
  const { send, asked } = standIn(SCENES)
  await expect(search(send, query)).rejects.toMatchObject({ code })
  expect(asked).toHaveLength(0)
})

test('an unknown collection is an error; no scenes in a known one is not', async () => {
  await expect(search(standIn([], LANDING, 404).send)).rejects.toMatchObject({
    code: 'catalogue.unknown_collection',
  })
  expect(await search(standIn([]).send)).toEqual({ items: [], warnings: [] })
})

test('elevation is searched without a time, and its public bucket is read by https', async () => {
  const dem = findRow('earth_search', 'cop-dem-glo-30')!
  const item = stacItem({
    ...{
      id: 'N45',
      collection: 'cop-dem-glo-30',
      datetime: '2021-04-22T00:00:00Z',
      box: [3, 45, 4, 46],
    },
    assets: { data: { href: 's3://copernicus-dem-30m/N45/N45.tif' } },
  })
  const { send, bodies } = standIn([item])
  const { items } = await search(send, { bands: ['DEM'] }, dem)
  expect(bodies()[0]).not.toHaveProperty('datetime')
  expect(items[0]!.cloud_cover).toBeNull()
  expect(items[0]!.bands.DEM!.href).toBe(
    'https://copernicus-dem-30m.s3.eu-central-1.amazonaws.com/N45/N45.tif',
  )
})

test('a search that takes too long ends as what may pass; a caller who goes is no time-out', async () => {
  const send: Send = ({ signal }) =>
    new Promise((_, failed) => signal!.addEventListener('abort', () => failed(signal!.reason)))
  await expect(search(send, { limits: { seconds: 0.05 } })).rejects.toMatchObject({
    ...{ code: 'catalogue.timeout', mayPass: true },
  })
  const gone = AbortSignal.abort(new Error('gone'))
  await expect(search(send, { signal: gone })).rejects.toThrow('gone')
})
