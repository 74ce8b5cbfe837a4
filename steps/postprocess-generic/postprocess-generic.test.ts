import { expect, test } from 'vitest'
import { contract } from './contract.ts'

const accepts = (value: unknown) => contract.parameters.safeParse(value).success

test('an unknown mask, a colour out of range and a fourth RGB band are refused', () => {
  expect(accepts({ rgb: [3, 2, 1], masks: { cloud_masking: true } })).toBe(true)
  expect(accepts({ rgb: [3, 2, 1], masks: { cloud_maskin: true } })).toBe(false)
  expect(accepts({ rgb: null, classes: { '1': { rgb: [0, 0, 256], opacity: 1 } } })).toBe(false)
  expect(accepts({ rgb: [3, 2, 1, 0] })).toBe(false)
})
