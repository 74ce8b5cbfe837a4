import { type Geom, intersection } from 'polyclip-ts'
import type { Footprint } from './item.ts'

/** West, south, east, north in degrees; west > east where the box crosses the 180th meridian. */
export type Box = readonly [west: number, south: number, east: number, north: number]
type Point = readonly [number, number]
type Ring = readonly Point[]
/** Outer ring, then holes */
type Polygon = readonly Ring[]

/** The box with its east beyond 180 where it crosses: longitudes run on. */
export const unwrapped = ([west, south, east, north]: Box): Box => [
  west,
  south,
  west > east ? east + 360 : east,
  north,
]

/** What a server is asked for: one box, or two where the box crosses the 180th meridian. */
export const withinWorld = ([west, south, east, north]: Box): Box[] => {
  if (west < -180) return withinWorld([west + 360, south, east, north])
  if (east > 180) return withinWorld([west, south, east - 360, north])
  if (west <= east) return [[west, south, east, north]]
  return [
    [west, south, 180, north],
    [-180, south, east, north],
  ]
}

/** Grown on every side, for servers that lose items at a border; latitudes stay on the globe. */
export const grown = (box: Box, degrees: number): Box => {
  const [west, south, east, north] = unwrapped(box)
  const [low, high] = [Math.max(south - degrees, -90), Math.min(north + degrees, 90)]
  if (east - west + 2 * degrees >= 360) return [-180, low, 180, high]
  const [from, to] = [west - degrees, east + degrees]
  return [from < -180 ? from + 360 : from, low, to > 180 ? to - 360 : to, high]
}

const isPoint = (point: unknown): boolean =>
  Array.isArray(point) && Number.isFinite(point[0]) && Number.isFinite(point[1])

const ringOf = (ring: unknown): Ring | undefined => {
  if (!Array.isArray(ring) || ring.length < 4 || !ring.every(isPoint)) return undefined
  const points = (ring as number[][]).map(([x, y]): Point => [x!, y!])
  // A step of more than half the globe goes the other way round, but for a band around it.
  const out: Point[] = []
  let shift = 0
  for (const [n, [x, y]] of points.entries()) {
    const step = n ? x - points[n - 1]![0] : 0
    if (Math.abs(step) > 180 && Math.abs(step) < 359.999) shift -= Math.sign(step) * 360
    out.push([x + shift, y])
  }
  return aroundPole(out)
}

/** A ring that runs once around the globe holds a pole: it is closed along it. */
const aroundPole = (ring: Ring): Ring => {
  const [first, last] = [ring[0]!, ring.at(-1)!]
  if (Math.abs(Math.abs(last[0] - first[0]) - 360) > 1e-6) return ring
  const middle = ring.reduce((sum, [, y]) => sum + y, 0) / ring.length
  const pole = middle < 0 ? -90 : 90
  return [...ring, [last[0], pole], [first[0], pole], first]
}

/** Polygons of a GeoJSON geometry, each with longitudes that run on; undefined for any other. */
export const polygonsOf = (geometry: unknown): Polygon[] | undefined => {
  const { type, coordinates } = (geometry ?? {}) as { type?: unknown; coordinates?: unknown }
  const list = type === 'Polygon' ? [coordinates] : type === 'MultiPolygon' ? coordinates : []
  if (!Array.isArray(list) || list.length === 0) return undefined
  const polygons = list.map((rings) => (Array.isArray(rings) ? rings.map(ringOf) : []))
  const sound = polygons.every((rings) => rings.length && rings.every((ring) => ring))
  return sound ? (polygons as Polygon[]) : undefined
}

export const polygonOfBox = ([west, south, east, north]: Box): Polygon => [
  [
    [west, south],
    [east, south],
    [east, north],
    [west, north],
    [west, south],
  ],
]

/** From its first corner on: between coordinates of degrees a small area would be lost in rounding. */
const shoelace = (ring: Ring): number => {
  const [x0, y0] = ring[0] ?? [0, 0]
  const twice = ring.reduce((sum, [x, y], n) => {
    const [u, v] = ring[(n + 1) % ring.length]!
    return sum + (x - x0) * (v - y0) - (u - x0) * (y - y0)
  }, 0)
  return Math.abs(twice / 2)
}
/** Square degrees of a polygon, holes taken off. */
export const areaOf = ([outer, ...holes]: Polygon): number =>
  outer ? shoelace(outer) - holes.reduce((sum, hole) => sum + shoelace(hole), 0) : 0

/** The part of a ring on one side of a line x or y = limit. @see Sutherland and Hodgman 1974 */
const half = (ring: Ring, axis: 0 | 1, limit: number, sign: 1 | -1): Ring => {
  const inside = (point: Point) => sign * (point[axis] - limit) >= 0
  return ring.flatMap((point, n) => {
    const last = ring.at(n - 1)!
    if (inside(point) === inside(last)) return inside(point) ? [point] : []
    const part = (limit - last[axis]) / (point[axis] - last[axis])
    const other = last[1 - axis]! + part * (point[1 - axis]! - last[1 - axis]!)
    const cut: Point = axis === 0 ? [limit, other] : [other, limit]
    return inside(point) ? [cut, point] : [cut]
  })
}
const clipped = (polygon: Polygon, [west, south, east, north]: Box): Polygon =>
  polygon.map((ring) =>
    half(half(half(half(ring, 0, west, 1), 0, east, -1), 1, south, 1), 1, north, -1),
  )

const shifted = (polygon: Polygon, degrees: number): Polygon =>
  polygon.map((ring) => ring.map(([x, y]): Point => [x + degrees, y]))

/**
 * A footprint in the frame of a box: longitudes run on, and each polygon stands where it overlaps
 * the box, so over the 180th meridian they go beyond 180. One that spans the globe may do so twice.
 *
 * @returns the footprint and its overlap with the box, square degrees
 */
export const inFrame = (polygons: readonly Polygon[], box: Box): [Footprint, number] => {
  const frame = unwrapped(box)
  let overlap = 0
  const placed = polygons.flatMap((polygon) => {
    const options = [0, -360, 360].map((degrees) => {
      const moved = degrees ? shifted(polygon, degrees) : polygon
      return [moved, areaOf(clipped(moved, frame))] as const
    })
    const inside = options.filter(([, area]) => area > 0)
    overlap += inside.reduce((sum, [, area]) => sum + area, 0)
    return inside.length ? inside.map(([moved]) => moved) : [polygon]
  })
  const footprint: Footprint =
    placed.length === 1
      ? { type: 'Polygon', coordinates: placed[0] }
      : { type: 'MultiPolygon', coordinates: placed }
  return [footprint, overlap]
}

const sumOf = (geometry: Footprint): number =>
  (polygonsOf(geometry) ?? []).reduce((sum, polygon) => sum + areaOf(polygon), 0)

/** Share of the smaller footprint that the other covers too, 0 to 1; both in one frame. */
export const sharedPart = (one: Footprint, other: Footprint): number => {
  const smaller = Math.min(sumOf(one), sumOf(other))
  if (smaller <= 0) return 0
  try {
    const common = intersection(one.coordinates as Geom, other.coordinates as Geom)
    return sumOf({ type: 'MultiPolygon', coordinates: common }) / smaller
  } catch {
    return 1 // a ring that crosses itself: the same tile and time are taken for the same scene
  }
}
