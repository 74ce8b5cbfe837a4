import { expect, test } from 'vitest'
import type { FrozenItem, Grid } from '../../connectors/item.ts'
import type { PlanContext } from '../plan-context.ts'
import { contract } from './contract.ts'

const band = (href: string, class_band = false) => ({
  ...{ href, file_band: 1, scale: 1, offset: 0, nodata: 0, class_band },
  ...{ epsg: 32631, transform: null, shape: null, gsd: 10 },
})
const item: FrozenItem = {
  ...{ id: 'A', collection: 'sentinel_aws/sentinel-2-l2a', datetime: '2024-06-10T10:50:31.024Z' },
  ...{ cloud_cover: 5, tile: '31TDK', baseline: '05.11', platform: 'sentinel-2', orbit: null },
  footprint: { type: 'Polygon', coordinates: [] },
  bands: { blue: band('https://a.example/b.tif'), scl: band('https://a.example/s.tif', true) },
  warnings: [],
}
const grid: Grid = {
  ...{ epsg: 32631, transform: [500000, 10, 0, 5000000, 0, -10] },
  ...{ width: 912, height: 512 },
}
const found = (name: string, date: string) => ({
  ...{ name, collection: 'sentinel_aws/sentinel-2-l2a', date, items: [item] },
  reading: { hosts: ['a.example'], allow_private_hosts: false, driver: 'GTiff' as const },
  radiometry: 'harmonised',
})
const spec = (more = {}) => ({
  bands: ['blue', 'scl'].map((band_name, index) => ({
    ...{ index, band_name, RGB_band: null, scaling_factor: 0.0001 },
  })),
  ...more,
})
const context = (more: Partial<PlanContext> = {}): PlanContext => ({
  ...{ task_id: 'i-task_0', inference_id: 'i', model: 'm', inference: null, layers: [] },
  ...{ input_spec: [spec()], post_processing: {}, options: {}, date: '2024-06-10' },
  source: {
    ...{ kind: 'items', grid, bbox: [3, 45, 3.1, 45.1], clip: null },
    modalities: [found('S2L2A', '2024-06-10')],
  },
  ...more,
})
const planned = (more: Partial<PlanContext> = {}) =>
  contract.parameters.parse(contract.plan(context(more)))

test('a plan holds the items, the grid and the bands of the spec; masks stay out of the model', () => {
  const { task_id, modalities } = planned()
  expect(task_id).toBeNull()
  expect(modalities[0]).toMatchObject({
    ...{ name: 'S2L2A', date: '2024-06-10', hosts: ['a.example'], grid, items: [item] },
    bands: [
      { band_name: 'blue', scaling_factor: 0.0001, class_band: false, model: true },
      { band_name: 'scl', class_band: true, model: false },
    ],
  })
})

test('aligned modalities bear the date of the first, and each needs its items', () => {
  const { source } = context()
  if (source.kind !== 'items') throw new Error('items')
  const modalities = [found('S2', '2024-06-10'), found('S1', '2024-06-11')]
  const input_spec = [
    spec(),
    spec({ align_dates: 'True', transform: 'to_decibels', file_suffix: 'sar' }),
  ]
  const both = planned({ input_spec, source: { ...source, modalities } })
  expect(both.modalities.map((one) => [one.date, one.transform, one.file_suffix])).toEqual([
    ['2024-06-10', null, null],
    ['2024-06-10', 'to_decibels', 'sar'],
  ])
  expect(() => planned({ input_spec })).toThrow('each entry needs its own items')
})

test('what could not be read is refused: no item, a flipped grid, an unknown field, one name twice', () => {
  const given = planned()
  const [one] = given.modalities
  const accepts = (value: unknown) => contract.parameters.safeParse(value).success
  expect(accepts(given)).toBe(true)
  const flipped = { ...grid, transform: [0, 10, 0, 0, 0, 10] }
  for (const wrong of [{ items: [] }, { grid: flipped }, { name: '../x' }, { driver: 'VRT' }])
    expect(accepts({ ...given, modalities: [{ ...one, ...wrong }] }), String(wrong)).toBe(false)
  expect(accepts({ ...given, modalities: [one, one] })).toBe(false)
  expect(accepts({ ...given, token: 'x' })).toBe(false)
})
