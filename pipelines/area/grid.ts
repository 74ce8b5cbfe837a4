import type { Grid } from '../../connectors/item.ts'
import { type Box, boxOf, eastOf, isPolar, projection } from './crs.ts'
import type { Ring } from './shapes.ts'

/** Where pixel edges lie: `origin + n * resolution`, metres. */
export interface Lattice {
  readonly epsg: number
  readonly resolution: number
  readonly origin: readonly [number, number]
}

// A thousandth of a pixel: a corner that was computed back from the lattice must not add a column.
const SLACK = 1e-3
const STEPS = 20
/** Of a polar box, whose parallels are circles. */
const DEGREES_A_STEP = 2

const snapDown = (value: number, origin: number, size: number): number =>
  Math.floor((value - origin) / size + SLACK) * size + origin
const snapUp = (value: number, origin: number, size: number): number =>
  Math.ceil((value - origin) / size - SLACK) * size + origin

/** [x min, y min, x max, y max] of a box's edges, densified, metres. */
export const envelopeOf = (box: Box, epsg: number): [number, number, number, number] => {
  const convert = projection(epsg)
  const [west, south, , north] = box
  const width = eastOf(box) - west
  const count = Math.max(STEPS, Math.ceil(width / DEGREES_A_STEP))
  const steps = Array.from({ length: count + 1 }, (_, n) => n / count)
  const points = steps.flatMap((f) => [
    [west + f * width, south],
    [west + f * width, north],
    [west, south + f * (north - south)],
    [west + width, south + f * (north - south)],
  ])
  const projected = points.map((point) => convert.forward(point as [number, number]))
  const xs = projected.map(([x]) => x!)
  const ys = projected.map(([, y]) => y!)
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)]
}

/** The grid that holds [x min, y min, x max, y max], its edges on the lattice. */
export const gridOf = (
  [xMin, yMin, xMax, yMax]: readonly [number, number, number, number],
  { epsg, resolution, origin }: Lattice,
): Grid => {
  const left = snapDown(xMin, origin[0], resolution)
  const top = snapUp(yMax, origin[1], resolution)
  return {
    epsg,
    transform: [left, resolution, 0, top, 0, -resolution],
    width: Math.max(1, Math.round((snapUp(xMax, origin[0], resolution) - left) / resolution)),
    height: Math.max(1, Math.round((top - snapDown(yMin, origin[1], resolution)) / resolution)),
  }
}

/** The grid of a box in degrees: its envelope in the lattice's CRS, snapped outwards. */
export const boxGrid = (box: Box, lattice: Lattice): Grid =>
  gridOf(envelopeOf(box, lattice.epsg), lattice)

/** A part of a grid, by columns and rows counted from its upper left corner. */
export const windowOf = (
  grid: Grid,
  [left, right]: readonly [number, number],
  [top, bottom]: readonly [number, number],
): Grid => {
  const [x, size, , y] = grid.transform
  return {
    epsg: grid.epsg,
    transform: [x + left * size, size, 0, y - top * size, 0, -size],
    width: right - left,
    height: bottom - top,
  }
}

/** Both polar grids have the pole at their centre. */
const POLES: Readonly<Record<number, number>> = { 32661: 90, 32761: -90 }
const POLE_AT = 2_000_000
const EDGE_STEPS = 8
/** Every longitude in any frame: around a pole a grid has all of them. */
const ALL_ROUND = 540

/**
 * What a grid covers, in degrees, its sides densified: not the box that it was cut from, which
 * leans against it the more the farther the zone's middle is.
 *
 * @param frame a longitude that the outline is brought near to
 * @param margin metres added on every side
 */
export const outlineOf = (grid: Grid, frame: number, margin: number): Ring => {
  const { epsg, transform, width, height } = grid
  const [x, size, , y] = transform
  const [left, right] = [x - margin, x + width * size + margin]
  const [top, bottom] = [y + margin, y - height * size - margin]
  const convert = projection(epsg)
  const sides = Array.from({ length: EDGE_STEPS }, (_, n) => n / EDGE_STEPS)
  const ring = [
    ...sides.map((f) => [left + f * (right - left), top]),
    ...sides.map((f) => [right, top + f * (bottom - top)]),
    ...sides.map((f) => [right + f * (left - right), bottom]),
    ...sides.map((f) => [left, bottom + f * (top - bottom)]),
  ].map((point) => convert.inverse(point as [number, number]) as [number, number])
  const pole = POLES[epsg]
  const inside = (low: number, high: number) => low <= POLE_AT && POLE_AT <= high
  if (pole !== undefined && inside(left, right) && inside(bottom, top)) {
    const edge = ring.reduce((far, [, lat]) => (Math.abs(lat) < Math.abs(far) ? lat : far), pole)
    return [-1, 1, 1, -1, -1].map((side, n) => [side * ALL_ROUND, n % 4 < 2 ? edge : pole])
  }
  const middle = convert.inverse([(left + right) / 2, (top + bottom) / 2])[0]!
  const home = middle - Math.round((middle - frame) / 360) * 360
  const near = ring.map(([lon, lat]): [number, number] => [
    lon - Math.round((lon - home) / 360) * 360,
    lat,
  ])
  return [...near, near[0]!]
}

/** The box in degrees that holds a grid's corners; of a polar one its sides, and the pole inside. */
export const boxOfGrid = (grid: Grid): Box => {
  const { epsg, transform, width, height } = grid
  const [x, size, , y] = transform
  if (isPolar(epsg)) {
    const outline = outlineOf(grid, 0, 0)
    const [lons, lats] = [0, 1].map((axis) => outline.map((point) => point[axis]!))
    const [west, east] = [Math.min(...lons!), Math.max(...lons!)]
    const [south, north] = [Math.min(...lats!), Math.max(...lats!)]
    return east - west >= 360 ? [-180, south, 180, north] : boxOf(west, south, east, north)
  }
  const convert = projection(epsg)
  const corners = [0, width].flatMap((column) =>
    [0, height].map((row) => convert.inverse([x + column * size, y - row * size])),
  )
  const middle = convert.inverse([x + (width * size) / 2, y - (height * size) / 2])[0]!
  // Longitudes around the middle, so that a grid on the 180th meridian stays one interval.
  const near = corners.map(([lon]) => lon! - Math.round((lon! - middle) / 360) * 360)
  const lats = corners.map(([, lat]) => lat!)
  return boxOf(Math.min(...near), Math.min(...lats), Math.max(...near), Math.max(...lats))
}
