import { afterAll, beforeAll, expect, test } from 'vitest'
import { memoryStore } from '../../connectors/cache.ts'
import { findRow } from '../../connectors/catalogue.ts'
import { connectorFor, type Query } from '../../connectors/connector.ts'
import type { CatalogueRow } from '../../connectors/row.ts'
import { type Client, startService } from '../support/api.ts'
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

test('one tile is filtered by the server: other items do not come back', async () => {
  const ask = (filter: object) =>
    fetch(`${stac.url}/search`, {
      ...{ method: 'POST', headers: { 'Content-Type': 'application/json' } },
      body: JSON.stringify({ collections: ['sentinel-2-l2a'], ...filter }),
    }).then(async (answer) => ((await answer.json()) as { features: unknown[] }).features.length)
  const args = [{ property: 'grid:code' }, 'MGRS-31TCJ']
  expect(await ask({ 'filter-lang': 'cql2-json', filter: { op: '=', args } })).toBe(1)
})

test('the service: sources as clients know them, and advice from the server of STAC_CATALOGUES', async () => {
  const mirror = { connector: 'sentinel_aws', url: stac.url, hosts: [new URL(stac.url).hostname] }
  const own = {
    ...{ connector: 'mine', url: stac.url, hosts: ['127.0.0.1'], private_hosts: true },
    collections: [{ collection_name: 'many', modality_tag: 'MANY', resolution_m: 10 }],
  }
  const service = await startService({
    STAC_CATALOGUES: JSON.stringify([{ ...mirror, private_hosts: true }, own]),
  })
  try {
    const { url } = await service.launch('api')
    const client: Client = await service.client(url, 'anna@example.org')
    const sources = (await client.get('/v2/data-sources')).body.results
    expect(sources).toHaveLength(11)
    expect(sources.at(-1)).toMatchObject({ connector: 'mine', collection_name: 'many', bands: [] })
    const named = async (connector: string) =>
      (await client.get(`/v2/data-advice/${connector}`)).body.results
    expect(await named('sentinel_aws')).toEqual(['sentinel-2-l2a'])
    expect(await named('planetary_computer')).toContain('sentinel-2-l2a')
    expect((await client.get('/v2/data-advice/none')).status).toBe(400)

    const advise = (connector: string, collections: string[], more: object = {}) =>
      client.post(`/v2/data-advice/${connector}`, {
        ...{ collections, dates: ['2024-06-10'], bbox: [[3.01, 45.11, 3.1, 45.15]] },
        ...{ maxcc: 90.0, pre_days: 3, post_days: 3, ...more },
      })
    const { status, body } = await advise('sentinel_aws', ['sentinel-2-l2a'])
    expect(status, JSON.stringify(body)).toBe(200)
    expect(body.results).toEqual([
      {
        bbox: [3.01, 45.11, 3.1, 45.15],
        unique_dates: ['2024-06-10', '2024-06-12'],
        available_data: ['A', 'B', 'T'].map((id) => expect.objectContaining({ id })),
      },
    ])
    const away = await advise('sentinel_aws', ['sentinel-2-l2a'], { dates: ['2024-05-30'] })
    expect(away.body.results[0]).toMatchObject({
      unique_dates: [],
      message: expect.stringMatching(/Aft_Days: 11$/),
    })
    expect(await advise('sentinelhub', ['s2_l2a'])).toMatchObject({
      ...{ status: 401, body: { detail: [{ msg: 'Error: Missing credentials' }] } },
    })
    expect(await advise('sentinel_aws', ['x'])).toMatchObject({
      ...{
        status: 422,
        body: { detail: [{ msg: expect.stringContaining("Invalid collection 'x'") }] },
      },
    })
    const swapped = await advise('sentinel_aws', ['sentinel-2-l2a'], { bbox: [[3, 46, 4, 45]] })
    // As in a request: the field is named before any catalogue is asked.
    expect(swapped).toMatchObject({
      ...{
        status: 422,
        body: { detail: [{ msg: expect.stringContaining('bbox must be [minLon') }] },
      },
    })
    expect(swapped.body.detail[0].loc.slice(0, 2)).toEqual(['body', 'bbox'])
  } finally {
    await service.close()
  }
})
