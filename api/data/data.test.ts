import { expect, test } from 'vitest'
import type { Connector } from '../../connectors/connector.ts'
import type { FrozenItem } from '../../connectors/item.ts'
import { polygonOf } from '../../test/support/stac-items.ts'
import { readConfig } from '../config.ts'
import { advise, adviceInput, envelopeOf } from './advice.ts'

/** A catalogue of scenes that cover the unit box, or a part of it. */
const catalogueOf = (
  ...scenes: readonly (readonly [
    id: string,
    datetime: string,
    cloud: number | null,
    box?: readonly number[],
  ])[]
): Connector => ({
  search: async ({ interval: { start, end } }) => ({
    warnings: [],
    items: scenes
      .filter(([, time]) => time >= start && time <= end)
      .map(([id, datetime, cloud_cover, box = [0, 0, 1, 1]]): FrozenItem => ({
        ...{ id, collection: 'x/y', datetime, cloud_cover, tile: null, baseline: null },
        ...{ platform: null, orbit: null, bands: {}, warnings: [] },
        footprint: polygonOf(box),
      })),
  }),
})
const ask = (dates: string[], connectors: Connector[], more: object = {}) => {
  const asked = { collections: connectors.map(() => 'c'), dates, bbox: [[0, 0, 1, 1]], maxcc: 80 }
  return advise(connectors, adviceInput.parse({ ...asked, ...more })) as Promise<any[]>
}
const two = catalogueOf(['a', '2024-06-10T10:00:00.000Z', 5], ['b', '2024-06-20T10:00:00.000Z', 90])

test('advice: days below the cloud cover, and the nearest day where there is none', async () => {
  expect(await ask(['2024-06-11'], [two])).toEqual([
    {
      bbox: [0, 0, 1, 1],
      unique_dates: ['2024-06-10'],
      available_data: [
        { id: 'a', properties: { datetime: '2024-06-10T10:00:00.000Z', 'eo:cloud_cover': 5 } },
      ],
    },
  ])
  const [none] = await ask(['2024-06-20'], [two])
  expect(none.unique_dates).toEqual([])
  expect(none.message).toContain('Bef_Days: 10')
})

test('a day is offered by the mean over the box, with all of its scenes; 100 and 0 keep all', async () => {
  const day = catalogueOf(
    ['a', '2024-06-10T10:00:00.000Z', 10, [0.5, 0, 1, 1]],
    ['b', '2024-06-10T10:00:10.000Z', 100],
    ['c', '2024-06-12T10:00:00.000Z', 100],
    ['d', '2024-06-14T10:00:00.000Z', null],
  )
  const dates = ['2024-06-10_2024-06-14']
  const days = async (maxcc: number) => (await ask(dates, [day], { maxcc }))[0]
  expect((await days(55)).unique_dates).toEqual(['2024-06-10', '2024-06-14'])
  expect((await days(55)).available_data.map(({ id }: any) => id)).toEqual(['a', 'b', 'd'])
  expect((await days(54)).unique_dates).toEqual(['2024-06-14'])
  for (const all of [100, 0]) expect((await days(all)).unique_dates).toHaveLength(3)
})

test('of two collections the days of the first that the second has a day near', async () => {
  const radar = catalogueOf(['s', '2024-06-12T06:00:00.000Z', null])
  const near = { pre_days: 2, post_days: 2 }
  const [found] = await ask(['2024-06-11'], [two, radar], near)
  expect(found.unique_dates).toEqual(['2024-06-10'])
  expect(found.available_data.map(({ id }: any) => id)).toEqual(['a', 's'])
  const [none] = await ask(['2024-06-11'], [two, radar])
  expect(none.unique_dates).toEqual([])
})

test('days are solar days at the centre of the box', async () => {
  const pass = catalogueOf(
    ['a', '2024-06-10T23:55:00.000Z', 1, [151, -34, 151.4, -33.8]],
    ['b', '2024-06-11T00:02:00.000Z', 1, [151, -34, 151.4, -33.8]],
  )
  const bbox = [[151, -34, 151.4, -33.8]]
  const more = { bbox, pre_days: 0, post_days: 0 }
  const [found] = await ask(['2024-06-11'], [pass], more)
  expect(found.unique_dates).toEqual(['2024-06-11'])
  expect(found.available_data).toHaveLength(2)
})

test.each([
  ['POLYGON((1 2, 3 2, 3 -4.5, 1 2))', [1, -4.5, 3, 2]],
  ['{"type":"Polygon","coordinates":[[[1,2],[3,2],[3,4],[1,2]]]}', [1, 2, 3, 4]],
  ['nowhere', undefined],
])('the box of %s', (polygon, box) => {
  expect(envelopeOf(polygon)).toEqual(box)
})

test.each<[string, unknown, readonly number[] | undefined]>([
  ['WKT with heights', 'POLYGON Z ((3 45 100, 4 45 100, 4 46 100, 3 45 100))', [3, 45, 4, 46]],
  [
    'WKT of two, with a reference',
    'SRID=4326;MULTIPOLYGON(((3 45,4 45,4 46,3 45)),((5 45,6 45,6 46,5 45)))',
    [3, 45, 6, 46],
  ],
  ['WKT with exponents', 'polygon((1e0 4.5e1, 2 45, 2 4.6E+1, 1e0 4.5e1))', [1, 45, 2, 46]],
  [
    'a Feature whose properties hold numbers',
    { type: 'Feature', properties: { pairs: [[80, 80]] }, geometry: polygonOf([3, 45, 4, 46]) },
    [3, 45, 4, 46],
  ],
  [
    'a FeatureCollection',
    {
      type: 'FeatureCollection',
      features: [
        [3, 45, 4, 46],
        [5, 45, 6, 47],
      ].map((box) => ({ type: 'Feature', geometry: polygonOf(box) })),
    },
    [3, 45, 6, 47],
  ],
  [
    'a ring over 180 degrees',
    {
      type: 'Polygon',
      coordinates: [
        [
          [179, -17],
          [-179, -17],
          [-179, -16],
          [179, -16],
          [179, -17],
        ],
      ],
    },
    [179, -17, -179, -16],
  ],
  [
    'metres',
    'POLYGON((500000 5000000, 600000 5000000, 600000 5100000, 500000 5000000))',
    undefined,
  ],
  ['a line', 'LINESTRING(3 45, 4 46, 5 47)', undefined],
  ['a flat ring', 'POLYGON((3 45, 4 45, 5 45, 3 45))', undefined],
  [
    'points',
    {
      type: 'MultiPoint',
      coordinates: [
        [3, 45],
        [4, 45],
        [4, 46],
      ],
    },
    undefined,
  ],
  ['null', 'null', undefined],
  ['numbers', '3 45, 4 46, 5 47', undefined],
])('the box of %s', (_name, polygon, box) => {
  expect(envelopeOf(polygon)).toEqual(box)
})

test.each<[object]>([
  [{ dates: ['2024-02-30'] }],
  [{ dates: ['2024-06-15_2024-06-10'] }],
  [{ dates: ['0001-01-01'] }],
  [{ bbox: [[3, 46, 4, 45]] }],
  [{ bbox: [[3, 45, 3, 46]] }],
  [{ bbox: [[190, 45, 191, 46]] }],
  [{ bbox: [[180, 45, -180, 46]] }],
])('advice is asked for by the rules of a request: %j is refused', (more) => {
  const body = { collections: ['s2'], dates: ['2024-06-10'], bbox: [[3, 45, 4, 46]] }
  expect(adviceInput.safeParse(body).success).toBe(true)
  expect(adviceInput.safeParse({ ...body, ...more }).success).toBe(false)
})

test('a request for more searches than a server should wait for is refused', () => {
  const collections = ['sentinel-2-l2a']
  const asked = (dates: string[], more: object = {}) =>
    adviceInput.safeParse({ collections, dates, bbox: [[0, 0, 1, 1]], ...more }).success
  expect(asked(['2024-01-01'])).toBe(true)
  expect(asked(['2024-13-01'])).toBe(false)
  expect(asked(Array<string>(51).fill('2024-01-01'))).toBe(false)
  expect(asked(['2024-01-01'], { bbox: null, area_polygon: 'nowhere' })).toBe(false)
})

const settings = { SIGNING_KEY: 'x'.repeat(32) }
test('accounts and catalogues of the environment; half an account is refused', () => {
  const { catalogue } = readConfig({
    ...settings,
    ...{ SH_CLIENT_ID: 'i', SH_CLIENT_SECRET: 's', NASA_EARTH_BEARER_TOKEN: 't' },
    STAC_TOKENS: '{"mine":"m"}',
    STAC_CATALOGUES: JSON.stringify([
      {
        ...{ connector: 'mine', url: 'https://stac.example.org/api/', token: true },
        collections: [{ collection_name: 'c', modality_tag: 'S2', resolution_m: 10 }],
      },
    ]),
  })
  expect(catalogue.credentials).toEqual({
    ...{ sentinelhub: { id: 'i', secret: 's' }, earthdata: 't', tokens: { mine: 'm' } },
  })
  expect(catalogue.rows.at(-1)!.search!.url).toBe('https://stac.example.org/api')
  expect(() => readConfig({ ...settings, SH_CLIENT_ID: 'i' })).toThrow(/SH_CLIENT_SECRET/)
  const secret = '{"mine": "very-secret'
  expect(() => readConfig({ ...settings, STAC_TOKENS: secret })).toThrow(/^STAC_TOKENS: must be/)
  expect(() => readConfig({ ...settings, STAC_TOKENS: secret })).not.toThrow(/very-secret/)
  expect(() => readConfig({ ...settings, STAC_CATALOGUES: '[{"connector":"new"}]' })).toThrow(
    /STAC_CATALOGUES: 0.url/,
  )
})
