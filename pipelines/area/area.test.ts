import { expect, test } from 'vitest'
import { type Box, boxOf, utmOf } from './crs.ts'
import { boxGrid } from './grid.ts'
import { ownGrid, tileNamed } from './tile-names.ts'
import { dimensionsOf, tilesOf } from './tiling.ts'

const latticeOf = (epsg: number, resolution = 10) => ({
  epsg,
  resolution,
  origin: [0, 0] as const,
})
const PORTO_ALEGRE: Box = [-51.33225, -30.08903, -51.19011, -29.97489]
const ASSAM: Box = [92.4872138472571, 26.194226154319196, 92.7450370355971, 26.32733412473285]

test('sizes and tile counts that GEOStudio gives', () => {
  expect(dimensionsOf(PORTO_ALEGRE, 10)).toEqual([1368, 1268])
  expect(tilesOf(PORTO_ALEGRE, latticeOf(32722))).toHaveLength(1)
  expect(dimensionsOf(ASSAM, 10)).toEqual([2579, 1467])
  const two = tilesOf(ASSAM, latticeOf(32646))
  expect(two).toHaveLength(2)
  expect(two[0]!.box[2]).toBeCloseTo(92.70714832354558, 12)
  expect(two[1]!.box[0]).toBeCloseTo(92.70714832354558, 12)
  const fire: Box = [-119.252472, 33.628342, -117.0365, 34.059309]
  expect(dimensionsOf(fire, 30)).toEqual([6852, 1517])
  expect(tilesOf(fire, latticeOf(32611, 30))).toHaveLength(4)
  const kenya: Box = [36, -1.5, 37, -0.5]
  expect(dimensionsOf(kenya, 10)).toEqual([11128, 11073])
  expect(tilesOf(kenya, latticeOf(32737))).toHaveLength(36)
})

test('a small box is widened to a model window and its margin', () => {
  const [tile] = tilesOf([92.703396, 26.247896, 92.704, 26.2485], latticeOf(32646))
  const expected = [92.687472195, 26.233575982, 92.719923805, 26.262820018]
  tile!.box.forEach((value, n) => expect(value).toBeCloseTo(expected[n]!, 8))
  expect(dimensionsOf(tile!.box, 10)).toEqual([325, 323])
})

test('neighbours of one box meet without a gap or an overlap, and cover the whole grid', () => {
  const lattice = latticeOf(32646)
  const whole = boxGrid(ASSAM, lattice)
  const [left, right] = tilesOf(ASSAM, lattice).map(({ grid }) => grid)
  expect(left!.transform[0]).toBe(whole.transform[0])
  expect(right!.transform[0]).toBe(left!.transform[0] + left!.width * 10)
  expect(left!.width + right!.width).toBe(whole.width)
  expect([left!.height, right!.height]).toEqual([whole.height, whole.height])
})

test('rows of a column meet from south to north', () => {
  const box: Box = [36, -1.5, 36.1, -1]
  const lattice = latticeOf(utmOf([36.05, -1.25]))
  const tiles = tilesOf(box, lattice).map(({ grid }) => grid)
  const whole = boxGrid(box, lattice)
  expect(tiles.length).toBe(3)
  for (const [n, grid] of tiles.entries())
    if (n > 0) expect(grid.transform[3] - grid.height * 10).toBe(tiles[n - 1]!.transform[3])
  expect(tiles.at(-1)!.transform[3]).toBe(whole.transform[3])
})

test('the grid of a box at the border of two UTM zones', () => {
  const box: Box = [5.97, 45.13, 6.05, 45.18]
  expect(boxGrid(box, latticeOf(32632))).toEqual({
    epsg: 32632,
    transform: [261730, 10, 0, 5007420, 0, -10],
    width: 650,
    height: 580,
  })
  expect(boxGrid(box, latticeOf(32631))).toMatchObject({
    transform: [733340, 10, 0, 5007480, 0, -10],
    width: 651,
    height: 580,
  })
  expect(utmOf([6.01, 45.15])).toBe(32632)
})

test('a box over 180 degrees is one grid', () => {
  const box = boxOf(179.6, -17, 180.4, -16.5)
  expect(box).toEqual([179.6, -17, expect.closeTo(-179.6, 9), -16.5])
  const grid = boxGrid(box, latticeOf(32701))
  expect(grid.width).toBeGreaterThan(8400)
  expect(grid.width).toBeLessThan(8700)
  expect(tilesOf(box, latticeOf(32701)).every((tile) => tile.grid.width < 2400)).toBe(true)
})

test('tiles by name: the Sentinel-2 grid of an MGRS square, and Web Mercator keys', () => {
  const corner = (name: string) => tileNamed(name).corner
  expect(corner('31TCJ')).toEqual({ epsg: 32631, x: 300000, y: 4900020 })
  expect(corner('T32TQM')).toEqual({ epsg: 32632, x: 699960, y: 4700040 })
  expect(corner('22JDM')!.epsg).toBe(32722)
  expect(ownGrid(corner('31TCJ')!, 10)).toMatchObject({ width: 10980, height: 10980 })
  expect(tileNamed('1/1/0')).toMatchObject({ box: [0, 0, 180, expect.closeTo(85.0511, 3)] })
  for (const wrong of ['61TCJ', '31IAA', '3/8/0', 'x', 7, null])
    expect(() => tileNamed(wrong)).toThrow(/request\.tile: spatial_domain\.tiles/)
})
