import { expect, test } from 'vitest'
import { areaOf } from './area.ts'

test.each([
  [[36.8, -1.3, 36.81, -1.29], 1.2317853],
  [[33.9, -4.7, 41.9, 5.5], 1005369.099],
  [[-51.33225, -30.08903, -51.19011, -29.97489], 173.05765],
] as const)('golden area of %j', (box, area) => {
  expect(areaOf([box], []) / area).toBeCloseTo(1, 6)
})

test('overlaps count once, holes not at all', () => {
  const one = areaOf([[0, 0, 1, 1]], [])
  expect(
    areaOf(
      [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
      ],
      [],
    ),
  ).toBeCloseTo(one, 6)
  const ring = [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
    [0, 0],
  ]
  const hole = [
    [0.25, 0.25],
    [0.75, 0.25],
    [0.75, 0.75],
    [0.25, 0.75],
    [0.25, 0.25],
  ]
  const pierced = areaOf([], [{ type: 'Polygon', coordinates: [ring, hole] }])
  expect(pierced / one).toBeCloseTo(0.75, 6)
})
