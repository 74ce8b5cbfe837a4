import { expect, test } from 'vitest'
import { contract } from './contract.ts'

const accepts = (value: unknown) => contract.parameters.safeParse(value).success

test('a URL or a file is taken, not both and not none', () => {
  expect(accepts({ url: 'https://example.org/a.tif' })).toBe(true)
  expect(accepts({ file: 'a.tif' })).toBe(true)
  expect(accepts({ file: 'a.tif', url: 'https://example.org/a.tif' })).toBe(false)
  expect(accepts({})).toBe(false)
})

test('schemes other than http and https are refused', () => {
  expect(accepts({ url: 'file:///etc/passwd' })).toBe(false)
  expect(accepts({ url: 'ftp://example.org/a.tif' })).toBe(false)
})

test('an unknown parameter and a negative band index are refused', () => {
  expect(accepts({ file: 'a.tif', bnads: [] })).toBe(false)
  expect(accepts({ file: 'a.tif', bands: [{ index: -1, band_name: 'B02' }] })).toBe(false)
})
