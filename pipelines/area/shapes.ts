import { difference, type Geom, intersection, union } from 'polyclip-ts'
import { areaOf } from '../../connectors/geometry.ts'
import { PlanError } from '../errors.ts'
import { type Box, eastOf } from './crs.ts'

export type Ring = [number, number][]
/** Outer ring, then holes */
export type Rings = Ring[]
export type Shape = Rings[]

/** Polygons of a GeoJSON geometry or Feature, longitudes and latitudes; empty for anything else. */
export const shapesOf = (geometry: unknown): Geom[] => {
  const shape = geometry as { type?: string; coordinates?: unknown; geometry?: unknown } | null
  if (shape?.type === 'Feature') return shapesOf(shape.geometry)
  if (shape?.type === 'Polygon' || shape?.type === 'MultiPolygon')
    return [shape.coordinates as Geom]
  return []
}

/** A shape as its list of polygons. */
const shapeOf = (geom: Geom): Shape =>
  typeof geom[0]?.[0]?.[0] === 'number' ? [geom as Rings] : (geom as Shape)

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

/** Area of a shape in square degrees, holes taken off. */
export const squareDegrees = (shape: Shape): number =>
  shape.reduce((sum, polygon) => sum + areaOf(polygon), 0)

/** Whether a polygon is convex, without a hole, and holds the whole box: most footprints of scenes. */
const holds = (geom: Geom, [west, south, east, north]: Box): boolean => {
  const polygon = (typeof geom[0]?.[0]?.[0] === 'number' ? geom : geom[0]) as Rings | undefined
  const [ring] = polygon ?? []
  if (!ring || polygon!.length !== 1 || (polygon !== geom && geom.length !== 1)) return false
  const corners = [
    [west, south],
    [east, south],
    [east, north],
    [west, north],
  ] as const
  let side = 0
  let turned = 0
  return ring.every(([x, y], n) => {
    const [u, v] = ring[(n + 1) % ring.length]!
    if (x === u && y === v) return true
    const [p, q] = ring[(n + 2) % ring.length]!
    const bend = Math.sign((u - x) * (q - v) - (v - y) * (p - u))
    turned ||= bend
    if (bend && bend !== turned) return false
    return corners.every(([cx, cy]) => {
      const at = Math.sign((u - x) * (cy - y) - (v - y) * (cx - x))
      side ||= at
      return at === 0 || at === side
    })
  })
}

const apart = (a: Box, b: Box): boolean => a[2] < b[0] || b[2] < a[0] || a[3] < b[1] || b[3] < a[1]

/** What the library made: without overlaps, so that it needs no union again. */
const clean = new WeakSet<object>()

/** @throws PlanError `request.polygon` for rings that the library cannot close */
const reckoned = (work: () => unknown): Shape => {
  try {
    const shape = work() as Shape
    clean.add(shape)
    return shape
  } catch (error) {
    throw new PlanError(
      'request.polygon',
      `a polygon crosses itself so that its area cannot be told: ${(error as Error).message.slice(0, 60)}`,
    )
  }
}

/** The same shape given twice counts once. */
export const unionOf = (shapes: readonly Geom[]): Shape => {
  const [first, ...others] = [...new Set(shapes)]
  if (!first) return []
  if (others.length === 0 && clean.has(first)) return first as Shape
  return reckoned(() => union(first, ...others))
}
/** What lies in both; where one holds the other, the other itself. */
export const overlapOf = (a: Geom, b: Geom): Shape => {
  if (a === b) return shapeOf(a)
  const [one, other] = [boundsOf([a]), boundsOf([b])]
  if (apart(one, other)) return []
  if (holds(a, other)) return shapeOf(b)
  if (holds(b, one)) return shapeOf(a)
  return reckoned(() => intersection(a, b))
}
export const without = (a: Geom, b: Geom): Shape =>
  a === b ? [] : reckoned(() => difference(a, b))

/** Whether two shapes have more than a border in common. */
export const touches = (a: Geom, b: Geom): boolean => overlapOf(a, b).length > 0

/** [west, south, east, north] of shapes, longitudes as they stand. */
export const boundsOf = (shapes: readonly Geom[]): Box => {
  const points = (shapes as unknown[]).flat(4).filter((n) => typeof n === 'number') as number[]
  const lons = points.filter((_, n) => n % 2 === 0)
  const lats = points.filter((_, n) => n % 2 === 1)
  const least = (values: number[]) => values.reduce((a, b) => Math.min(a, b), Infinity)
  const most = (values: number[]) => values.reduce((a, b) => Math.max(a, b), -Infinity)
  return [least(lons), least(lats), most(lons), most(lats)]
}
