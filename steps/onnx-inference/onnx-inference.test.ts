import { expect, test } from 'vitest'
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
})
