import { expect, test } from 'vitest'
import type { PlanContext } from '../plan-context.ts'
import { contract } from './contract.ts'

const context = (
  names: string[],
  { collection = 's2_l2a', cloud_masking = true, mean = [] as number[] } = {},
) =>
  ({
    input_spec: [
      {
        collection,
        bands: names.map((band_name, index) => ({ index, band_name, scaling_factor: 1 })),
      },
    ],
    ...{ post_processing: { cloud_masking }, inference: { mean }, options: {} },
  }) as unknown as PlanContext
const SIX = ['B02', 'B03', 'B04', 'B8A', 'B11', 'B12']

test('the cloud model runs only where clouds are asked for, no class band is there and the six bands are', () => {
  expect(contract.wanted!(context(SIX))).toBe(true)
  expect(contract.wanted!(context(SIX, { cloud_masking: false }))).toBe(false)
  expect(contract.wanted!(context([...SIX, 'SCL']))).toBe(false)
  expect(contract.wanted!(context(SIX.slice(1)))).toBe(false)
  // Sentinel-2's B05 to B07 are red edges, Landsat's are nir, swir16 and swir22.
  const landsat = ['B02', 'B03', 'B04', 'B05', 'B06', 'B07']
  expect(contract.wanted!(context(landsat))).toBe(false)
  expect(contract.wanted!(context(landsat, { collection: 'HLSL30_2.0' }))).toBe(true)
})

test('what it is called with passes its contract: the bands by place, the weights by level', () => {
  const names = ['swir22', 'nir', 'red', 'x', 'green', 'blue', 'swir16']
  const l2a = contract.parameters.parse(contract.plan(context(names)))
  expect(l2a.bands).toEqual([5, 4, 2, 1, 6, 0])
  expect(l2a.weights).toMatchObject({ path: 'ukis_csmask/model_6b_l2a.onnx' })
  const l1c = contract.parameters.parse(contract.plan(context(SIX, { collection: 's2_l1c' })))
  expect(l1c.weights).toMatchObject({ path: 'ukis_csmask/model_6b_l1c.onnx' })
})
