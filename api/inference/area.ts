import { type Box } from '../../pipelines/area/crs.ts'
import { boxShape, shapesOf, squareDegrees, unionOf } from '../../pipelines/area/shapes.ts'

/**
 * Area in km² of the union of boxes and polygons in EPSG:4326, planar: degrees², 111 km a degree,
 * east-west shrunk by the cosine of the mean latitude of the union's bounds.
 *
 * GEOStudio limits requests by this figure, so it is kept to the digit.
 */
export const areaOf = (boxes: readonly Box[], polygons: readonly unknown[]): number => {
  const shapes = [...boxes.map(boxShape), ...polygons.flatMap(shapesOf)]
  if (shapes.length === 0) return 0
  const merged = unionOf(shapes)
  const latitudes = merged.flat(2).map(([, y]) => y)
  const mean = (Math.min(...latitudes) + Math.max(...latitudes)) / 2
  return squareDegrees(merged) * 111 * 111 * Math.cos((mean * Math.PI) / 180)
}
