import { expect, test } from 'vitest'
import type { FrozenItem } from '../../connectors/item.ts'
import { row } from '../../connectors/row.ts'
import { boxInside, squareItem } from '../../test/support/items.ts'
import { inferenceRequest } from '../request.ts'
import { modalitiesOf } from './modalities.ts'
import type { Catalogue } from './catalogue.ts'
import { findTasks } from './plan-area.ts'

const A = squareItem({ id: 'A', datetime: '2024-06-10T10:50:31.024Z', cloud: 5, x: 500000, y: 5e6 })
const B = squareItem({
  id: 'B',
  datetime: '2024-06-10T10:50:45.024Z',
  cloud: 60,
  x: 504000,
  y: 5e6,
})
const C = squareItem({
  id: 'C',
  datetime: '2024-06-15T10:50:31.024Z',
  cloud: 100,
  x: 500000,
  y: 5e6,
})
const G = boxInside(32631, 500000, 5e6, 9120, 5120)
const OF_A = boxInside(32631, 500000, 5e6, 5120, 5120)

const named = (connector: string, collection_name: string, timeless = false) =>
  row({
    id: collection_name,
    connector,
    collection_name,
    resolution_m: 10,
    modality_tag: collection_name.toUpperCase(),
    bands: [['blue', 10, 'Blue']],
    search: { url: 'https://example.org', collection: collection_name, timeless, cloud: !timeless },
  })
const rows = [named('x', 's2'), named('x', 's1'), named('x', 'dem', true)]

const catalogueOf = (
  items: Record<string, readonly FrozenItem[]>,
): Catalogue & { asked: unknown[] } => {
  const asked: unknown[] = []
  return {
    asked,
    search: async (of, query) => {
      asked.push(query)
      const { interval } = query
      const all = items[of.source.collection_name] ?? []
      const inside = ({ datetime }: FrozenItem) =>
        !interval || (datetime >= interval.start && datetime <= interval.end)
      return { items: all.filter(inside), warnings: [] }
    },
    reading: () => ({ hosts: [], driver: 'GTiff', allow_private_hosts: false }),
    process: () => undefined,
    today: '2024-12-31',
    most_tasks: 100,
  }
}
const plan = (
  body: Record<string, unknown>,
  items: readonly FrozenItem[] | Record<string, readonly FrozenItem[]> = [A, B, C],
  collections = ['s2'],
  most_tasks = 100,
) => {
  const request = inferenceRequest.parse(body)
  const specs = collections.map((collection) => ({
    connector: 'x',
    collection,
    bands: [{ index: 0, band_name: 'blue', RGB_band: null, scaling_factor: 1 }],
  }))
  const find = (connector: string, collection: string) =>
    rows.find(
      ({ source }) => source.connector === connector && source.collection_name === collection,
    )
  const given = Array.isArray(items) ? { s2: items } : (items as Record<string, FrozenItem[]>)
  const catalogue = { ...catalogueOf(given), most_tasks }
  return findTasks(request, modalitiesOf(specs, request, find), catalogue)
}
const ids = (task: { source: { modalities: readonly { items: readonly FrozenItem[] }[] } }) =>
  task.source.modalities[0]!.items.map(({ id }) => id)
const days = (dates: string[], box = G, more: object = {}) => ({
  spatial_domain: { bbox: [box] },
  temporal_domain: dates,
  ...more,
})

test('a day keeps all its items, least cloudy first, on the grid that they share', async () => {
  const { tasks, missing } = await plan(days(['2024-06-10']))
  expect(tasks).toHaveLength(1)
  expect(ids(tasks[0]!)).toEqual(['A', 'B'])
  const { grid } = tasks[0]!.source
  expect(grid.epsg).toBe(32631)
  expect(grid.transform.filter((_, n) => n === 0 || n === 3).every((v) => v % 10 === 0)).toBe(true)
  expect(grid.width).toBeGreaterThanOrEqual(905)
  expect(tasks[0]!.coverage).toBeCloseTo(1, 2)
  expect(missing).toEqual([])
})

test('a range is a task a day, with both ends, and each with its own items', async () => {
  const { tasks } = await plan(days(['2024-06-10_2024-06-15'], OF_A))
  expect(tasks.map((task) => [task.date, ids(task)])).toEqual([
    ['2024-06-10', ['A', 'B']],
    ['2024-06-15', ['C']],
  ])
})

test('maxcc is the mean of the place, each item by what it adds; the limit itself passes', async () => {
  const kept = await plan(days(['2024-06-10'], G, { maxcc: 32 }))
  expect(ids(kept.tasks[0]!)).toEqual(['A', 'B'])
  expect(kept.tasks[0]!.cloud).toBeCloseTo(29.1, 0)
  const none = await plan(days(['2024-06-10'], G, { maxcc: 20 }))
  expect(none.tasks).toEqual([])
  expect(none.missing[0]!.reason).toContain('29 % cloud, limit 20')
  const whole = await plan(days(['2024-06-15'], OF_A, { maxcc: 100 }))
  expect(whole.tasks).toHaveLength(1)
  const off = await plan(days(['2024-06-15'], OF_A, { maxcc: 0 }))
  expect(off.tasks).toHaveLength(1)
})

test('a day of unknown cloud passes and is said', async () => {
  const N = squareItem({
    id: 'N',
    datetime: '2024-06-20T10:50:00Z',
    cloud: null,
    x: 500000,
    y: 5e6,
  })
  const { tasks, warnings } = await plan(days(['2024-06-20'], OF_A, { maxcc: 10 }), [N])
  expect(tasks).toHaveLength(1)
  expect(warnings).toEqual(['x/s2 2024-06-20: cloud cover unknown, kept'])
})

test('a place without data is an answer with its reason and the nearest days; others go on', async () => {
  const elsewhere = [10, 45, 10.05, 45.05]
  const { tasks, missing } = await plan({
    spatial_domain: { bbox: [elsewhere, OF_A] },
    temporal_domain: ['2024-06-10'],
  })
  expect(tasks).toHaveLength(1)
  expect(missing).toMatchObject([{ field: 'spatial_domain.bbox.0', nearest: [] }])
  const late = await plan(days(['2024-06-12'], OF_A))
  expect(late.missing[0]).toMatchObject({
    reason: 'no item of x/s2 for this place and time in its catalogue',
    nearest: ['2024-06-10', '2024-06-15'],
  })
})

test('too little coverage leaves the day out with its number', async () => {
  const wide = boxInside(32631, 500000, 5e6, 12800, 5120)
  const { tasks, missing } = await plan(days(['2024-06-10'], wide, { min_coverage: 0.5 }), [A])
  expect(tasks).toEqual([])
  expect(missing[0]!.reason).toMatch(/coverage 0\.40 < 0\.50/)
})

test('the order that a server lists items in changes nothing', async () => {
  const one = await plan(days(['2024-06-10_2024-06-15']), [A, B, C])
  const two = await plan(days(['2024-06-10_2024-06-15']), [C, B, A])
  expect(two).toEqual(one)
})

test('a solar day: one pass over midnight UTC is one task, and the search is half a day wider', async () => {
  const at = { epsg: 32656, x: 300000, y: 5e6, cloud: 1 }
  const one = squareItem({ ...at, id: 'one', datetime: '2024-06-10T23:55:00Z' })
  const two = squareItem({ ...at, id: 'two', datetime: '2024-06-11T00:02:00Z' })
  const box = boxInside(32656, 300000, 5e6, 5120, 5120)
  const { tasks } = await plan(days(['2024-06-11'], box), [one, two])
  expect(tasks.map((task) => [task.date, ids(task)])).toEqual([['2024-06-11', ['one', 'two']]])
})

test('a place over 180 degrees is one grid with the items of both sides', async () => {
  const E = squareItem({
    id: 'E',
    datetime: '2024-06-10T22:00:00Z',
    cloud: 1,
    epsg: 32760,
    x: 805000,
    y: 8150000,
    side: 14000,
  })
  const W = squareItem({
    id: 'W',
    datetime: '2024-06-10T22:00:05Z',
    cloud: 2,
    epsg: 32701,
    x: 181500,
    y: 8150000,
    side: 60000,
  })
  const moved = {
    ...W,
    footprint: {
      type: 'Polygon' as const,
      coordinates: (W.footprint.coordinates as number[][][]).map((ring) =>
        ring.map(([lon, lat]) => [lon! + 360, lat!]),
      ),
    },
  }
  const { tasks } = await plan(days(['2024-06-11'], [179.9, -16.9, -179.9, -16.8] as never), [
    E,
    moved,
  ])
  expect(tasks).toHaveLength(1)
  expect(ids(tasks[0]!).sort()).toEqual(['E', 'W'])
  expect([32701, 32760]).toContain(tasks[0]!.source.grid.epsg)
})

test('modalities: the nearest day within a day of the first, a timeless one always; no cloud limit on either', async () => {
  const radar = (id: string, datetime: string) =>
    squareItem({ id, datetime, cloud: null, x: 500000, y: 5e6 })
  const dem = radar('D', '2021-04-22T00:00:00Z')
  const s1 = [radar('near', '2024-06-11T06:00:00Z'), radar('far', '2024-06-13T06:00:00Z')]
  const both = await plan(days(['2024-06-10_2024-06-15'], OF_A), { s2: [A, C], s1, dem: [dem] }, [
    's2',
    's1',
    'dem',
  ])
  expect(
    both.tasks.map(({ source }) => source.modalities.map(({ date, name }) => [name, date])),
  ).toEqual([
    [
      ['S2', '2024-06-10'],
      ['S1', '2024-06-11'],
      ['DEM', null],
    ],
  ])
  const lonely = await plan(days(['2024-06-15'], OF_A), { s2: [C], s1 }, ['s2', 's1'])
  expect(lonely.missing[0]!.reason).toBe('x/s1: no day within 1 of 2024-06-15')
})

test('one task a period: the best of it by clear share', async () => {
  const { tasks } = await plan(days(['2024-06-01_2024-06-30'], OF_A, { one_per: 'month' }))
  expect(tasks.map(({ date }) => date)).toEqual(['2024-06-10'])
})

test('a polygon is its box, cut only where asked; a Sentinel-2 tile is its own grid', async () => {
  const [w, s, e, n] = OF_A
  const polygon = {
    type: 'Polygon',
    coordinates: [
      [
        [w, s],
        [e, s],
        [e, n],
        [w, s],
      ],
    ],
  }
  const body = { spatial_domain: { polygons: [polygon] }, temporal_domain: ['2024-06-10'] }
  expect((await plan(body)).tasks[0]!.source.clip).toBeNull()
  expect((await plan({ ...body, clip: true })).tasks[0]!.source.clip).toEqual(polygon)
  const tile = await plan({ spatial_domain: { tiles: ['31TEK'] }, temporal_domain: ['2024-06-10'] })
  expect(tile.tasks[0]!.source.grid).toMatchObject({ width: 10980, height: 10980, epsg: 32631 })
})

test('each tile of a large place has every item that lies on its grid', async () => {
  const place = [2, 46, 3.65, 47.15] as const
  const whole = squareItem({ ...A, cloud: 1, x: 400000, y: 5.3e6, side: 300000 })
  const grids = (await plan(days(['2024-06-10'], place as never), [whole])).tasks
  expect(grids).toHaveLength(36)
  // An item of half a kilometre in each corner of each tile's grid.
  const corners = grids.flatMap(({ source: { grid } }, n) => {
    const [left, , , top] = grid.transform
    const [right, bottom] = [left + grid.width * 10 - 500, top - grid.height * 10 + 500]
    const at = { datetime: A.datetime, cloud: 1, side: 500 }
    return [left, right].flatMap((x, i) =>
      [top, bottom].map((y, k) => squareItem({ ...at, id: `${n} ${i}${k}`, x, y })),
    )
  })
  const inside = corners.filter(({ footprint }) =>
    (footprint.coordinates as number[][][])[0]!.every(
      ([lon, lat]) => lon! > place[0] && lon! < place[2] && lat! > place[1] && lat! < place[3],
    ),
  )
  const { tasks } = await plan(days(['2024-06-10'], place as never), inside)
  for (const { id } of inside) {
    const { grid } = grids[Number(id.split(' ')[0])]!.source
    const task = tasks.find(
      ({ source }) => String(source.grid.transform) === String(grid.transform),
    )
    expect(ids(task!)).toContain(id)
  }
})

test('days that are none, too many tasks and boxes too wide are refused by field', async () => {
  await expect(async () => plan(days(['2024-02-30']))).rejects.toThrow(/no day of the calendar/)
  await expect(async () => plan(days(['2024-06-10_2024-06-01']))).rejects.toThrow(
    /ends before it begins/,
  )
  await expect(plan(days([]))).rejects.toThrow(/request\.temporal_domain: temporal_domain is empty/)
  await expect(plan(days(['2024-06-10'], [0, 40, 40, 50]))).rejects.toThrow(/request\.too_large/)
  await expect(plan(days(['2024-06-10'], [0, 43, 10, 50]), [A])).rejects.toThrow(
    /request\.too_many_tasks: spatial_domain\.bbox\.0/,
  )
})

test('a degree on five days: 36 tiles a day on one grid, each with its own items, neighbours meet', async () => {
  const items = [10, 11, 12, 13, 14].flatMap((day) =>
    [0, 1].flatMap((column) =>
      [0, 1].map((line) =>
        squareItem({
          ...{ id: `${day}-${column}-${line}`, datetime: `2024-06-${day}T07:50:31Z`, cloud: 5 },
          ...{ epsg: 32737, x: 160000 + column * 100000, y: 9950000 - line * 100000 },
          side: 109800,
        }),
      ),
    ),
  )
  const body = days(['2024-06-10_2024-06-14'], [36, -1.5, 37, -0.5])
  const { tasks } = await plan(body, items, ['s2'], 1000)
  expect(tasks).toHaveLength(36 * 5)
  expect(tasks.slice(0, 5).map(({ date }) => date)).toEqual(
    [10, 11, 12, 13, 14].map((day) => `2024-06-${day}`),
  )
  const { grid } = tasks[0]!.source
  const above = tasks[5]!.source.grid
  expect(above.transform[3] - above.height * 10).toBe(grid.transform[3])
  expect(above.transform[0]).toBe(grid.transform[0])
  expect(Math.max(...tasks.map((task) => ids(task).length))).toBe(4)
})
