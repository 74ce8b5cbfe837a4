import { expect, test } from 'vitest'
import { contract } from './contract.ts'

const base = { script: 'x', file_name: 'a.py' }
const accepts = (value: object) => contract.parameters.safeParse({ ...base, ...value }).success

test('a script is a .py by its base name alone', () => {
  expect(accepts({})).toBe(true)
  expect(accepts({ file_name: '../a.py' })).toBe(false)
  expect(accepts({ file_name: 'a.txt' })).toBe(false)
  expect(accepts({ script: 'x'.repeat(10 * 1024 * 1024 + 1) })).toBe(false)
})

test('limits have defaults, and no limit is no limit', () => {
  expect(contract.parameters.parse(base)).toMatchObject({
    processor_parameters: {},
    limits: { wall_seconds: 600, memory_mb: 2048, processes: 64 },
  })
  expect(accepts({ limits: { wall_seconds: 0 } })).toBe(false)
  expect(accepts({ limits: { wall: 5 } })).toBe(false)
  expect(accepts({ processor_parameters: null })).toBe(true)
})
