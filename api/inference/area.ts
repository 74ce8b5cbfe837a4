import { type Box, eastOf } from '../../pipelines/area/crs.ts'
import { boxShape, shapesOf, squareDegrees, unionOf } from '../../pipelines/area/shapes.ts'

const inKm2 = (degrees: number, south: number, north: number): number => {
  const mean = (south + north) / 2
  return degrees * 111 * 111 * Math.cos((mean * Math.PI) / 180)
}

/** Length of the union of intervals that are sorted by their beginning. */
const covered = (intervals: readonly (readonly [number, number])[]): number => {
  let [length, end] = [0, -Infinity]
  for (const [from, to] of intervals) {
    length += Math.max(0, to - Math.max(from, end))
    end = Math.max(end, to)
  }
  return length
}

/** A box over 180 degrees as its part on each side. */
const sidesOf = (box: Box): Box[] => {
  const [w, s, e, n] = box
  if (w <= e) return [box]
  return [
    [w, s, 180, n],
    [-180, s, e, n],
  ]
}

/** Of boxes alone: slab by slab between their meridians, exact however much they overlap. */
const areaOfBoxes = (given: readonly Box[]): number => {
  if (given.length === 0) return 0
  const boxes = given.map((box): Box => [box[0], box[1], eastOf(box), box[3]])
  const bySouth = [...boxes].sort((a, b) => a[1] - b[1])
  const edges = [...new Set(boxes.flatMap(([w, , e]) => [w, e]))].sort((a, b) => a - b)
  const degrees = edges.slice(1).reduce((sum, east, n) => {
    const west = edges[n]!
    const here = bySouth.filter(([w, , e]) => w <= west && e >= east)
    return sum + (east - west) * covered(here.map(([, s, , north]) => [s, north] as const))
  }, 0)
  const north = boxes.reduce((most, box) => Math.max(most, box[3]), -90)
  return inKm2(degrees, bySouth[0]![1], north)
}

/**
 * Area in km² of the union of boxes and polygons in EPSG:4326, planar: degrees², 111 km a degree,
 * east-west shrunk by the cosine of the mean latitude of the union's bounds.
 *
 * GEOStudio limits requests by this figure, so it is kept to the digit.
 */
export const areaOf = (given: readonly Box[], polygons: readonly unknown[]): number => {
  const boxes = given.flatMap(sidesOf)
  if (polygons.length === 0) return areaOfBoxes(boxes)
  const shapes = [...boxes.map(boxShape), ...polygons.flatMap(shapesOf)]
  if (shapes.length === 0) return 0
  const merged = unionOf(shapes)
  const latitudes = merged.flat(2).map(([, y]) => y)
  const extreme = (pick: (...two: number[]) => number) =>
    latitudes.reduce((a, b) => pick(a, b), latitudes[0] ?? 0)
  return inKm2(squareDegrees(merged), extreme(Math.min), extreme(Math.max))
}
