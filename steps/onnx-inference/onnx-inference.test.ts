import { expect, test } from 'vitest'
import { GPU_IMAGE } from '../model-exec.ts'
import type { PlanContext } from '../plan-context.ts'
import { contract } from './contract.ts'

const base = { weights: { file: 'tiny-water/tiny_water.onnx' }, tile: 64 }
const accepts = (value: object) => contract.parameters.safeParse({ ...base, ...value }).success

test('weights are a path below models/ or a pinned wheel', () => {
  expect(accepts({})).toBe(true)
  expect(accepts({ weights: { file: '../../etc/passwd' } })).toBe(false)
  expect(accepts({ weights: { pypi: 'ukis-csmask', path: 'a.onnx', sha256: 'ab' } })).toBe(false)
})

test('an overlap as wide as the tile would never advance and is refused', () => {
  expect(accepts({ overlap: 63 })).toBe(true)
  expect(accepts({ overlap: 64 })).toBe(false)
  expect(accepts({ tile: [64, 32], overlap: 40 })).toBe(false)
})

test('the keys of a runtime.json are a block of their own', () => {
  const inputs = [
    { name: 'S2L2A', bands: ['B02', 'B03'], select: [1], scale: 1e-4, mean: [0.1], std: [1] },
  ]
  const tiling = {
    h: 224,
    w: 224,
    h_stride: 208,
    w_stride: 208,
    delta: 8,
    average: true,
    blend: true,
  }
  const more = { joined: false, nan_replace: 0, temporal: true, frames: 3, coords: [] }
  expect(accepts({ inputs, tiling, ...more, output_on_inference: ['prediction', 'logits'] })).toBe(
    true,
  )
  expect(accepts({ tiling: { ...tiling, padding: 'nonsense' } })).toBe(false)
  expect(accepts({ output_on_inference: 'nonsense' })).toBe(false)
})

const band = (index: number) => ({
  index,
  band_name: `B${index}`,
  scaling_factor: 1,
  RGB_band: null,
})
const context = (inference: object, more: Partial<PlanContext> = {}): PlanContext => ({
  ...{
    task_id: 't',
    inference_id: 'i',
    model: 'm',
    inference: { ...base, ...inference },
    layers: [],
  },
  ...{ input_spec: [{ bands: [5, 3, 8, 4, 2, 1].map(band) }], post_processing: {}, options: {} },
  ...{ source: { kind: 'scene', scenes: [{ modality: null, file: 'a.tif' }] }, date: '2024-02-01' },
  ...more,
})

test('the program is told which band of the scene is which, and the date only where the model asks', () => {
  expect(contract.plan(context({}))).toMatchObject({ source_bands: [[5, 3, 8, 4, 2, 1]] })
  expect(contract.plan(context({}))).not.toHaveProperty('dates')
  expect(contract.plan(context({ coords: ['temporal_coords'] }))).toMatchObject({
    dates: ['2024-02-01'],
  })
})

test('means are one a band, or one a band of each date', () => {
  expect(() => contract.plan(context({ mean: [1, 2, 3, 4] }))).toThrow('4 values for 6 bands')
  expect(() => contract.plan(context({ mean: [1] }))).toThrow('1 values for 6 bands')
  expect(contract.plan(context({ mean: [1, 2, 3] }))).toMatchObject({ mean: [1, 2, 3] })
})

test('a GPU is asked for by the plan, never by the model, and changes the image', () => {
  expect(contract.plan(context({}))).not.toHaveProperty('gpu')
  expect(contract.plan(context({}, { options: { gpu: true } }))).toMatchObject({ gpu: true })
  expect(contract.inference!.safeParse({ ...base, gpu: true }).success).toBe(false)
  expect(GPU_IMAGE.REQUIREMENTS).toBe('requirements-gpu.txt')
})
