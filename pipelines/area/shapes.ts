import { difference, type Geom, intersection, union } from 'polyclip-ts'
import { type Box, eastOf } from './crs.ts'

export type Shape = [number, number][][][]

/** Polygons of a GeoJSON geometry or Feature, longitudes and latitudes; empty for anything else. */
export const shapesOf = (geometry: unknown): Geom[] => {
  const shape = geometry as { type?: string; coordinates?: unknown; geometry?: unknown } | null
  if (shape?.type === 'Feature') return shapesOf(shape.geometry)
  if (shape?.type === 'Polygon' || shape?.type === 'MultiPolygon')
    return [shape.coordinates as Geom]
  return []
}

/** A box as a polygon; beyond 180 degrees where it crosses them. */
export const boxShape = (box: Box): Geom => {
  const [west, south, , north] = box
  const east = eastOf(box)
  return [
    [
      [west, south],
      [east, south],
      [east, north],
      [west, north],
      [west, south],
    ],
  ]
}

const ringArea = (ring: readonly (readonly [number, number])[]): number =>
  Math.abs(
    ring.reduce((sum, [x, y], i) => {
      const [u, v] = ring[(i + 1) % ring.length]!
      return sum + x * v - u * y
    }, 0) / 2,
  )

/** Area of a shape in square degrees, holes taken off. */
export const squareDegrees = (shape: Shape): number =>
  shape.reduce(
    (sum, [outer, ...holes]) =>
      sum + ringArea(outer!) - holes.reduce((inner, hole) => inner + ringArea(hole), 0),
    0,
  )

export const unionOf = (shapes: readonly Geom[]): Shape =>
  shapes.length ? (union(shapes[0]!, ...shapes.slice(1)) as Shape) : []
export const overlapOf = (a: Geom, b: Geom): Shape => intersection(a, b) as Shape
export const without = (a: Geom, b: Geom): Shape => difference(a, b) as Shape

/** [west, south, east, north] of shapes, longitudes as they stand. */
export const boundsOf = (shapes: readonly Geom[]): Box => {
  const points = (shapes as unknown[]).flat(4).filter((n) => typeof n === 'number') as number[]
  const lons = points.filter((_, n) => n % 2 === 0)
  const lats = points.filter((_, n) => n % 2 === 1)
  const least = (values: number[]) => values.reduce((a, b) => Math.min(a, b), Infinity)
  const most = (values: number[]) => values.reduce((a, b) => Math.max(a, b), -Infinity)
  return [least(lons), least(lats), most(lons), most(lats)]
}
