import { expect, test } from 'vitest'
import { memoryStore } from '../../connectors/cache.ts'
import { connectorFor } from '../../connectors/connector.ts'
import type { Send } from '../../connectors/http.ts'
import { row } from '../../connectors/row.ts'
import { inferenceRequest } from '../request.ts'
import type { Catalogue, Found } from './catalogue.ts'
import { modalitiesOf } from './modalities.ts'
import { findTasks } from './plan-area.ts'

/** Places at the ends of the globe and catalogues that write otherwise: from answers to a plan. */

const S2 = row({
  ...{ id: 's2', connector: 'x', collection_name: 's2', resolution_m: 10, modality_tag: 'S2' },
  bands: [['blue', 10, 'Blue']],
  search: { url: 'https://example.org', collection: 's2', timeless: false, cloud: true },
})
type Ring = readonly (readonly number[])[]
const polygon = (...ring: Ring) => ({ type: 'Polygon', coordinates: [ring] })
const box = (w: number, s: number, e: number, n: number) =>
  polygon([w, s], [e, s], [e, n], [w, n], [w, s])

interface Odd {
  readonly id?: string
  readonly geometry?: unknown
  readonly bbox?: unknown
  readonly properties?: object
  readonly asset?: object
  readonly assets?: unknown
}
const HREF = 'https://files.example.org/a.tif'
const item = ({ id = 'A', geometry = box(2.9, 45, 3.2, 45.3), bbox, ...more }: Odd = {}) => ({
  ...{ type: 'Feature', id, collection: 's2', geometry, bbox },
  properties: {
    ...{ datetime: '2024-06-10T10:50:31Z', 'eo:cloud_cover': 5, constellation: 'sentinel-2' },
    ...more.properties,
  },
  assets: 'assets' in more ? more.assets : { blue: { href: HREF, ...more.asset } },
})

const plan = (bbox: readonly number[], items: readonly object[], more: object = {}) => {
  const request = inferenceRequest.parse({
    spatial_domain: { bbox: [bbox] },
    temporal_domain: ['2024-06-10'],
    ...more,
  })
  const bands = [{ index: 0, band_name: 'blue', RGB_band: null, scaling_factor: 1 }]
  const specs = [{ connector: 'x', collection: 's2', bands }]
  const send: Send = async ({ url }) => {
    const body = url.endsWith('/search') ? { features: items } : { conformsTo: [] }
    return { status: 200, headers: {}, text: JSON.stringify(body), url }
  }
  const store = memoryStore()
  const catalogue: Catalogue = {
    search: (of, query) =>
      connectorFor(of, { send, store }).search({ ...query, interval: query.interval! }),
    reading: () => ({ hosts: [], driver: 'GTiff', allow_private_hosts: false }),
    process: () => undefined,
    ...{ today: '2024-12-31', most_tasks: 100 },
  }
  return findTasks(
    request,
    modalitiesOf(specs, request, () => S2),
    catalogue,
  )
}
const HERE = [3, 45.1, 3.06, 45.15]
const gridOf = ({ tasks }: Found) => tasks[0]!.source.grid
const idsOf = ({ tasks }: Found) => tasks[0]!.source.modalities[0]!.items.map(({ id }) => id)

test.each<[string, Odd]>([
  ['an asset without an href beside the band', { assets: { blue: { href: HREF }, thumb: {} } }],
  ['an asset that is null', { assets: { blue: { href: HREF }, thumb: null } }],
  ['an alternate without an href', { asset: { alternate: { s3: { title: 'no href' } } } }],
  ['an alternate that is a list', { asset: { alternate: [] } }],
  ['a type that is a list', { asset: { type: ['image/tiff'] } }],
  ['a bbox of nulls', { bbox: [null, null, null, null] }],
  ['a bbox of texts', { bbox: ['2.9', '45', '3.2', '45.3'] }],
  ['no geometry, but a bbox', { geometry: null, bbox: [2.9, 45, 3.2, 45.3] }],
  ['a bbox with heights', { geometry: null, bbox: [2.9, 45, 0, 3.2, 45.3, 900] }],
  ['heights', { geometry: polygon([2.9, 45, 1], [3.2, 45, 1], [3.2, 45.3, 1], [2.9, 45, 1]) }],
  ['a time in small letters', { properties: { datetime: '2024-06-10t10:50:31z' } }],
  ['a time with a space', { properties: { datetime: '2024-06-10 10:50:31.5Z' } }],
  ['a leap second', { properties: { datetime: '2024-06-10T23:59:60Z' } }],
  ['a leap second with a fraction', { properties: { datetime: '2024-06-10T11:59:60.25+02:00' } }],
  ['an offset of hours alone', { properties: { datetime: '2024-06-10T12:50:31+02' } }],
  ['no zone', { properties: { datetime: '2024-06-10T10:50:31' } }],
  ['a time of nanoseconds', { properties: { datetime: '2024-06-10T10:50:31.123456789Z' } }],
  ['a composite', { properties: { datetime: null, start_datetime: '2024-06-10T00:00:00Z' } }],
  ['a second href', { asset: { href: 's3://b/a.tif', alternate: { https: { href: HREF } } } }],
])('an item with %s is taken', async (_name, odd) => {
  const found = await plan(HERE, [item(odd)])
  expect([found.tasks.length, found.warnings]).toEqual([1, []])
})

test.each<[string, Odd, RegExp]>([
  ['without assets', { assets: {} }, /A has no asset for band blue/],
  ['whose assets are a list', { assets: [] }, /A has no asset for band blue/],
  ['of another band', { assets: { red: { href: HREF } } }, /A has no asset for band blue/],
  ['whose href is missing', { assets: { blue: {} } }, /A has no asset for band blue/],
  ['without a place', { geometry: null }, /A has no footprint/],
  ['without a time', { properties: { datetime: 'yesterday' } }, /A has no datetime/],
  [
    'of a day that no calendar has',
    { properties: { datetime: '2024-13-10T00:00:00Z' } },
    /datetime/,
  ],
])('an item %s is left out, and that is said; its neighbour is taken', async (_name, odd, said) => {
  const found = await plan(HERE, [item(odd), item({ id: 'B' })])
  expect(idsOf(found)).toEqual(['B'])
  expect(found.warnings.join()).toMatch(said)
})

test.each([
  ['95', 95],
  ['95.5 %', 95.5],
  [-1, null],
  [250, null],
  ['much', null],
  [null, null],
])('a cloud cover of %j is %j: as text it means the same', async (said, cloud) => {
  const given = item({ properties: { 'eo:cloud_cover': said } })
  const { tasks, warnings } = await plan(HERE, [given])
  expect([tasks[0]!.cloud, warnings]).toEqual([cloud, []])
  const limited = await plan(HERE, [given], { maxcc: 20 })
  expect(limited.tasks).toHaveLength(cloud === null ? 1 : 0)
})

test.each([
  [32631, 32631],
  ['EPSG:32631', 32631],
  ['urn:ogc:def:crs:EPSG::32631', 32631],
  ['http://www.opengis.net/def/crs/EPSG/0/32631', 32631],
  // The zone of another place, a southern zone in the north, and none that a grid is laid in
  ['EPSG:32660', 32631],
  ['EPSG:32731', 32631],
  ['EPSG:32661', 32631],
  ['EPSG:4326', 32631],
  ['EPSG:None', 32631],
  // A neighbour's zone is as good, where all items share it
  ['EPSG:32632', 32632],
])('items in %s are put on a grid of EPSG:%i, near the place', async (code, epsg) => {
  const found = await plan(HERE, [item({ asset: { 'proj:code': code } })])
  expect(gridOf(found).epsg).toBe(epsg)
  const [, , , y] = gridOf(found).transform
  expect(y).toBeGreaterThan(4_990_000)
  expect(y).toBeLessThan(5_020_000)
  const wrong = /32660|32731|32661/.test(String(code))
  expect(found.warnings.join()).toMatch(wrong ? /where the place is not/ : /^$/)
})

test('a proj:code that is none does not hide proj:epsg', async () => {
  const asset = { 'proj:code': null, 'proj:epsg': 32632 }
  expect(gridOf(await plan(HERE, [item({ asset })])).epsg).toBe(32632)
  const named = { 'proj:code': 'EPSG:None', 'proj:epsg': 32632 }
  expect(gridOf(await plan(HERE, [item({ asset: named })])).epsg).toBe(32632)
})

const WORLD = box(-180, -18, 180, -16)
test.each<[string, unknown, string[]]>([
  ['an item that spans the globe', WORLD, ['A']],
  ['one with longitudes below -180', box(-181, -18, -179, -16), ['A']],
  ['one with longitudes above 180', box(179, -18, 181, -16), ['A']],
  [
    'two halves',
    {
      type: 'MultiPolygon',
      coordinates: [box(179, -18, 180, -16), box(-180, -18, -179, -16)].map(
        ({ coordinates }) => coordinates,
      ),
    },
    ['A'],
  ],
  [
    'a ring that jumps',
    polygon([179, -18], [-179, -18], [-179, -16], [179, -16], [179, -18]),
    ['A'],
  ],
])('over 180 degrees %s covers the whole box', async (_name, geometry, ids) => {
  const found = await plan([179.95, -17, -179.95, -16.9], [item({ geometry })], {
    min_coverage: 0.99,
  })
  expect(idsOf(found)).toEqual(ids)
  expect(found.tasks[0]!.coverage).toBeCloseTo(1, 6)
})

test('a footprint around a pole is what it holds, not a line', async () => {
  const ring = polygon([0, 80], [90, 80], [180, 80], [-90, 80], [0, 80])
  const found = await plan([10, 88.9, 12, 89], [item({ geometry: ring })])
  expect(idsOf(found)).toEqual(['A'])
  expect(found.tasks[0]!.coverage).toBeCloseTo(1, 6)
  const south = polygon([0, -80], [-90, -80], [-180, -80], [90, -80], [0, -80])
  expect((await plan([10, 88.9, 12, 89], [item({ geometry: south })])).tasks).toEqual([])
})

const POLE = 2_000_000
test.each([
  ['the whole cap', [-180, 89.95, 180, 90], [-180, 180]],
  ['a wedge to the pole', [10, 89.85, 80, 90], [10, 80]],
  ['a wedge over 180 degrees', [170, 89.85, -100, 90], [170, 260]],
  ['the cap of the south', [-180, -90, 180, -89.95], [-180, 180]],
])('at a pole %s is what its grid holds', async (_name, bbox, [west, east]) => {
  const north = bbox[3] === 90
  const cap = north ? box(-180, 85, 180, 90) : box(-180, -90, 180, -85)
  // The solar day of the place: its longitudes may be a day away from those of Greenwich.
  const found = await plan(bbox, [item({ geometry: cap })], {
    temporal_domain: ['2024-06-09_2024-06-11'],
  })
  const { epsg, transform, width, height } = gridOf(found)
  expect([found.tasks.length, epsg]).toEqual([1, north ? 32661 : 32761])
  const radius = north ? (90 - bbox[1]!) * 111_000 : (bbox[3]! + 90) * 111_000
  for (let lon = west!; lon <= east!; lon += 5) {
    const turn = (lon * Math.PI) / 180
    const x = POLE + 0.99 * radius * Math.sin(turn)
    const y = POLE + 0.99 * radius * Math.cos(turn) * (north ? -1 : 1)
    expect(x).toBeGreaterThanOrEqual(transform[0])
    expect(x).toBeLessThanOrEqual(transform[0] + width * 10)
    expect(y).toBeLessThanOrEqual(transform[3])
    expect(y).toBeGreaterThanOrEqual(transform[3] - height * 10)
  }
  // Not much more than the place: a cap's square, a wedge's box.
  expect(width * height * 100).toBeLessThan((2.2 * radius) ** 2)
})

test('a large box at a pole is cut into tiles that meet and hold it', async () => {
  const { tasks } = await plan([-180, 89.5, 180, 90], [item({ geometry: box(-180, 85, 180, 90) })])
  expect(tasks.length).toBeGreaterThan(20)
  const pixels = tasks.reduce((sum, { source: { grid } }) => sum + grid.width * grid.height, 0)
  expect(Math.sqrt(pixels) * 10).toBeGreaterThan(2 * 0.5 * 111_000)
  expect(new Set(tasks.map(({ source: { grid } }) => String(grid.transform))).size).toBe(
    tasks.length,
  )
})

test('a place of a few centimetres has its cloud cover and its coverage', async () => {
  const [west, south] = [3, 45.1]
  const { tasks } = await plan([west, south, west + 1e-7, south + 1e-7], [item()])
  expect([tasks[0]!.cloud, tasks[0]!.coverage]).toEqual([5, expect.closeTo(1, 3)])
})
