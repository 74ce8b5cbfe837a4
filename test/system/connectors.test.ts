import { afterAll, beforeAll, expect, test } from 'vitest'
import { memoryStore } from '../../connectors/cache.ts'
import { findRow } from '../../connectors/catalogue.ts'
import { connectorFor, type Query } from '../../connectors/connector.ts'
import type { CatalogueRow } from '../../connectors/row.ts'
import { startStac, type TestStac } from '../support/stac.ts'
import { SCENES, stacItem } from '../support/stac-items.ts'

let stac: TestStac
let row: CatalogueRow

const timed = (n: number) => new Date(Date.UTC(2024, 5, 20, 10, 0, n)).toISOString()

beforeAll(async () => {
  stac = await startStac()
  const known = findRow('sentinel_aws', 'sentinel-2-l2a')!
  row = { ...known, search: { ...known.search!, url: stac.url } }
  await stac.load(
    ['sentinel-2-l2a', 'many'],
    [
      ...SCENES,
      stacItem({ id: 'N', datetime: '2024-06-25T10:50:31.024Z', cloud: null }),
      stacItem({ id: 'E', datetime: '2024-06-10T01:00:00Z', box: [179.5, -17, 180, -16.5] }),
      stacItem({ id: 'W', datetime: '2024-06-10T01:00:05Z', box: [-180, -17, -179.5, -16.5] }),
      stacItem({
        id: 'T',
        datetime: '2024-06-12T10:50:31.024Z',
        properties: { 'grid:code': 'MGRS-31TCJ' },
      }),
      ...Array.from({ length: 250 }, (_, n) =>
        stacItem({ id: `many-${n}`, collection: 'many', datetime: timed(n) }),
      ),
    ],
  )
})
afterAll(() => stac?.stop())

const search = (query: Partial<Query> = {}, of = row) =>
  connectorFor(of, { allowPrivateHosts: true, store: memoryStore() }).search({
    bbox: [3.01, 45.11, 3.1, 45.15],
    interval: { start: '2024-06-10T00:00:00Z', end: '2024-06-10T23:59:59Z' },
    bands: ['B02', 'red', 'SCL'],
    ...query,
  })
const ids = async (query: Partial<Query>, of = row) =>
  (await search(query, of)).items.map(({ id }) => id)
const days = (start: string, end = start) => ({
  interval: { start: `${start}T00:00:00Z`, end: `${end}T23:59:59Z` },
})

test('the items of a day, in the order of time, each with the asked bands', async () => {
  const { items, warnings } = await search()
  expect(items.map(({ id }) => id)).toEqual(['A', 'B'])
  expect(warnings).toEqual([])
  const [a] = items
  expect(a).toMatchObject({ datetime: '2024-06-10T10:50:31.024Z', cloud_cover: 5 })
  expect(Object.keys(a!.bands)).toEqual(['B02', 'red', 'SCL'])
  expect(a!.bands.B02!.href).toMatch(/A\/blue\.tif$/)
  expect(a!.bands.SCL).toMatchObject({ class_band: true, nodata: 0 })
})

test('a range keeps its last day, a scene all in clouds, and one of unknown cover', async () => {
  expect(await ids(days('2024-06-10', '2024-06-15'))).toEqual(['A', 'B', 'T', 'C'])
  const { items } = await search(days('2024-06-25'))
  expect(items.map(({ cloud_cover }) => cloud_cover)).toEqual([null])
})

test('the last second of an interval holds its milliseconds', async () => {
  const interval = { start: '2024-06-10T10:50:31Z', end: '2024-06-10T10:50:31Z' }
  expect(await ids({ interval })).toEqual(['A'])
})

test('over the 180th meridian exactly the scenes there, in one frame', async () => {
  const { items } = await search({ bbox: [179.6, -17, -179.6, -16.5] })
  expect(items.map(({ id }) => id)).toEqual(['E', 'W'])
  const [east, west] = items.map(({ footprint }) => (footprint.coordinates as number[][][])[0]!)
  expect(Math.max(...east!.map(([lon]) => lon!))).toBe(180)
  expect(Math.min(...west!.map(([lon]) => lon!))).toBe(180)
})

test('250 items over three pages, all of them', async () => {
  const many = { ...row, search: { ...row.search!, collection: 'many' } }
  expect(new Set(await ids(days('2024-06-20'), many)).size).toBe(250)
})

test('one tile by the filter that the server announces', async () => {
  expect(await ids({ ...days('2024-06-10', '2024-06-15'), tile: '31TCJ' })).toEqual(['T'])
})

test('a collection that the server does not have is said, not answered as empty', async () => {
  const other = { ...row, search: { ...row.search!, collection: 'sentinel-2-l3' } }
  await expect(search({}, other)).rejects.toMatchObject({ code: 'catalogue.unknown_collection' })
})
