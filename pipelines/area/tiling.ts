import type { Grid } from '../../connectors/item.ts'
import { type Box, boxOf, centreOf, eastOf, isPolar, projection, utmOf } from './crs.ts'
import { boxGrid, boxOfGrid, envelopeOf, gridOf, type Lattice, windowOf } from './grid.ts'

/** A side over this many pixels is cut. @see sentinelhub's process API, 2500 pixels a side */
const LONGEST = 2400
const STEP = 2200
/** A side below this is widened: the models' window is 224 pixels. */
const SHORTEST = 224
const MARGIN = 50

export interface Tile {
  readonly box: Box
  readonly grid: Grid
}

/**
 * Columns and rows of a box: its south-west and north-east corners in its UTM zone, rounded.
 *
 * @see sentinelhub-py `bbox_to_dimensions`, which GEOStudio's planner counts tiles by
 */
export const dimensionsOf = (box: Box, resolution: number): [columns: number, rows: number] => {
  const epsg = utmOf(centreOf(box))
  if (isPolar(epsg)) {
    const { width, height } = boxGrid(box, { epsg, resolution, origin: [0, 0] })
    return [width, height]
  }
  const convert = projection(epsg)
  const [left, bottom] = convert.forward([box[0], box[1]])
  const [right, top] = convert.forward([eastOf(box), box[3]])
  const pixels = (metres: number) => Math.max(1, Math.round(Math.abs(metres) / resolution))
  return [pixels(right! - left!), pixels(top! - bottom!)]
}

/** Ends of the parts of a side, as pixel counts; the last part is what remains. */
const cutsOf = (pixels: number, cut: boolean): [number, number][] => {
  if (!cut) return [[0, pixels]]
  const parts = Math.ceil(pixels / STEP)
  return Array.from({ length: parts }, (_, n) => [n * STEP, Math.min((n + 1) * STEP, pixels)])
}

// Length of a degree, metres; the series of the WGS 84 meridian, and the equator's circle.
const metresPerLatitude = (radians: number): number =>
  111132.954 - 559.822 * Math.cos(2 * radians) + 1.175 * Math.cos(4 * radians)
const metresPerLongitude = (radians: number): number => (40075017 / 360) * Math.cos(radians)

/** The interval, widened around its centre where it has fewer pixels than a model's window. */
const widened = (
  [from, to]: readonly [number, number],
  pixels: number,
  metresPerDegree: number,
  resolution: number,
): [number, number] => {
  if (pixels >= SHORTEST) return [from, to]
  const half = ((SHORTEST / 2 + MARGIN) * resolution) / metresPerDegree
  return [(from + to) / 2 - half, (from + to) / 2 + half]
}

const paddedTile = (box: Box, pixels: readonly [number, number], lattice: Lattice): Tile => {
  const latitude = (((box[1] + box[3]) / 2) * Math.PI) / 180
  const { resolution } = lattice
  const longitudes = [box[0], eastOf(box)] as const
  const [west, east] = widened(longitudes, pixels[0], metresPerLongitude(latitude), resolution)
  const latitudes = [box[1], box[3]] as const
  const [south, north] = widened(latitudes, pixels[1], metresPerLatitude(latitude), resolution)
  const padded = boxOf(west, Math.max(-90, south), east, Math.min(90, north))
  return { box: padded, grid: boxGrid(padded, lattice) }
}

/** Windows of a grid with at most as many pixels a side, columns from the west, rows from the south. */
export const cutGrid = (grid: Grid, longest: number): Grid[] => {
  if (Math.max(grid.width, grid.height) <= longest) return [grid]
  return cutsOf(grid.width, true).flatMap((columns) =>
    cutsOf(grid.height, true).map(([bottom, top]) =>
      windowOf(grid, columns, [grid.height - top, grid.height - bottom]),
    ),
  )
}

/**
 * Of a polar box: its corners may lie on one meridian, or be the pole, so it is cut by pixels, not by
 * shares of degrees. A side shorter than a model's window is widened.
 */
const polarTiles = (box: Box, lattice: Lattice): Tile[] => {
  const { epsg, resolution } = lattice
  const [left, bottom, right, top] = envelopeOf(box, epsg)
  const short = SHORTEST * resolution
  const more = (side: number) => (side < short ? short / 2 + MARGIN * resolution - side / 2 : 0)
  const [wide, high] = [more(right - left), more(top - bottom)]
  const whole = gridOf([left - wide, bottom - high, right + wide, top + high], lattice)
  const grids = cutGrid(whole, LONGEST)
  const same = grids.length === 1 && wide === 0 && high === 0
  return grids.map((grid) => ({ box: same ? box : boxOfGrid(grid), grid }))
}

/**
 * The tiles of a box: columns from west to east, in each the rows from south to north.
 *
 * Boxes are cut as GEOStudio cuts them, by shares of degrees; their grids are windows of the one
 * grid of the whole box, so that neighbours meet without a gap or an overlap. A part that is
 * smaller than a model's window is widened and overlaps its neighbours, on the same lattice.
 */
export const tilesOf = (box: Box, lattice: Lattice): Tile[] => {
  if (isPolar(lattice.epsg)) return polarTiles(box, lattice)
  const whole = boxGrid(box, lattice)
  const [columns, rows] = dimensionsOf(box, lattice.resolution)
  const cut = columns > LONGEST || rows > LONGEST
  const [west, south, , north] = box
  const width = eastOf(box) - west
  const column = (at: number) => Math.round((at / columns) * whole.width)
  const row = (at: number) => whole.height - Math.round((at / rows) * whole.height)
  return cutsOf(columns, cut).flatMap(([left, right]) =>
    cutsOf(rows, cut).map(([bottom, top]): Tile => {
      const part = boxOf(
        west + (left / columns) * width,
        south + (bottom / rows) * (north - south),
        west + (right / columns) * width,
        south + (top / rows) * (north - south),
      )
      const pixels = [right - left, top - bottom] as const
      if (Math.min(...pixels) < SHORTEST) return paddedTile(part, pixels, lattice)
      const grid = windowOf(whole, [column(left), column(right)], [row(top), row(bottom)])
      return { box: part, grid }
    }),
  )
}
