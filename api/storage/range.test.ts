import { expect, test } from 'vitest'
import { rangeOf } from './routes.ts'

test.each([
  ['bytes=2-4', [2, 4]],
  ['Bytes=2-4', [2, 4]],
  ['BYTES=2-', [2, 9]],
  ['bytes= 2-4', [2, 4]],
  ['bytes=,2-4 ,', [2, 4]],
  ['bytes=-3', [7, 9]],
  ['bytes=-30', [0, 9]],
  ['bytes=5-99', [5, 9]],
  ['bytes=10-', null],
  ['bytes=-0', null],
  [`bytes=${'9'.repeat(400)}-`, null],
  ['bytes=4-2', undefined],
  ['bytes=-', undefined],
  ['bytes=a-b', undefined],
  ['bytes=1-2,5-6', undefined],
  ['bytes', undefined],
  ['lines=1-2', undefined],
  ['bytes=1-2-3', undefined],
  [undefined, undefined],
])('Range %j of ten bytes is %j', (header, range) => {
  expect(rangeOf(header, 10)).toEqual(range)
})

test('of nothing no range can be met', () => {
  expect(rangeOf('bytes=0-', 0)).toBeNull()
  expect(rangeOf('bytes=-5', 0)).toBeNull()
})
