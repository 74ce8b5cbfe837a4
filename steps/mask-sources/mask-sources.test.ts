import { expect, test } from 'vitest'
import type { PlanContext, PlanOptions } from '../plan-context.ts'
import { contract } from './contract.ts'

const context = (post_processing: Record<string, unknown>, options: PlanOptions = {}) =>
  ({ post_processing, options }) as unknown as PlanContext
const masks = { landPolygons: 'https://a.test/land.gpkg', permanentWater: 'https://a.test/w.tif' }

test('it stands in the plan only where a mask that is asked for lies at a URL', () => {
  const wanted = (post: Record<string, unknown>, options?: PlanOptions) =>
    contract.wanted!(context(post, options))
  expect(wanted({})).toBe(false)
  expect(wanted({ ocean_masking: true })).toBe(false)
  expect(wanted({ ocean_masking: true }, { masks })).toBe(true)
  expect(wanted({ permanent_water_masking: true }, { masks })).toBe(true)
  expect(wanted({ mask_from_url: { url: 'https://a.test/m.geojson' } })).toBe(true)
})

test('what it is called with passes its contract; a wrong field of mask_from_url is named', () => {
  const planned = contract.plan(context({ permanent_water_masking: true }, { masks }))
  expect(contract.parameters.parse(planned)).toMatchObject({
    ...{ mask_url: null, land_url: null, water_url: masks.permanentWater },
  })
  for (const [given, said] of [
    [true, 'mask_from_url.url'],
    [{ url: 'ftp://a.test/m' }, 'mask_from_url.url'],
    [{ url: 'https://a.test/m', buffer_size_m: -1 }, 'mask_from_url.buffer_size_m'],
  ] as const)
    expect(() => contract.plan(context({ mask_from_url: given }))).toThrow(
      `request.post_processing: post_processing.${said}`,
    )
})
