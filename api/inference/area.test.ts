import { expect, test } from 'vitest'
import { areaOf } from './area.ts'
import { boundedArea, TooIntricate } from './bounded-area.ts'

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

test('boxes alone: the union whatever overlaps, as the union of polygons has it', () => {
  const boxes = Array.from(
    { length: 12 },
    (_, n) => [n / 3, (n % 4) / 3, n / 3 + 2, (n % 3) + 2] as const,
  )
  const rings = boxes.map(([w, s, e, n]) => ({
    type: 'Polygon',
    coordinates: [
      [
        [w, s],
        [e, s],
        [e, n],
        [w, n],
        [w, s],
      ],
    ],
  }))
  expect(areaOf(boxes, [])).toBeCloseTo(areaOf([], rings), 6)
  expect(areaOf([...boxes, ...boxes], [])).toBeCloseTo(areaOf(boxes, []), 9)
})

test('a thousand polygons that cross each other end, and hold nobody up', async () => {
  const star = (n: number) => ({
    type: 'Polygon',
    coordinates: [
      [
        [-n, 0],
        [n, 1 + n / 1000],
        [n / 2, -n / 100],
        [-n, 0],
      ],
    ],
  })
  const many = Array.from({ length: 1000 }, (_, n) => star(1 + n / 20))
  let turns = 0
  const timer = setInterval(() => (turns += 1), 10)
  await expect(boundedArea([], many, 4000)).rejects.toBeInstanceOf(TooIntricate)
  clearInterval(timer)
  expect(turns).toBeGreaterThan(20)
}, 20_000)

test('a box over 180 degrees has the area of its two sides', () => {
  const east = areaOf([[179.6, -17, 180, -16.5]], [])
  expect(areaOf([[179.6, -17, -179.6, -16.5]], [])).toBeCloseTo(2 * east, 6)
})
