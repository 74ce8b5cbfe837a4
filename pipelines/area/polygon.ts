import type { Geom } from 'polyclip-ts'
import type { Footprint } from '../../connectors/item.ts'
import { PlanError } from '../errors.ts'
import { type Ring, type Rings, shapesOf } from './shapes.ts'

/** Positions of a polygon that its share of scenes is reckoned with; a longer one is simplified. */
const MOST_POINTS = 200
const MOST_CROSSINGS = 20
const LEAST_RING = 4
/** How far a simplified border may lie from the given one, as shares of the longer side. */
const [FINEST, COARSEST] = [1 / 4096, 1 / 32]

const numbersOf = (position: unknown): [number, number] | undefined => {
  if (!Array.isArray(position) || position.length < 2) return undefined
  // A third number is a height: places have none.
  const [lon, lat, ...heights] = position as unknown[]
  const sound =
    heights.every((height) => typeof height === 'number') &&
    typeof lon === 'number' &&
    typeof lat === 'number' &&
    Math.abs(lon) <= 180 &&
    Math.abs(lat) <= 90
  return sound ? [lon, lat] : undefined
}

const ringsOf = (polygon: unknown): Rings | undefined => {
  if (!Array.isArray(polygon) || polygon.length === 0) return undefined
  const rings: Ring[] = []
  for (const ring of polygon as unknown[]) {
    if (!Array.isArray(ring) || ring.length < LEAST_RING) return undefined
    const points = ring.map(numbersOf)
    if (points.some((point) => !point)) return undefined
    rings.push(points as Ring)
  }
  return rings
}

/**
 * Polygons of a GeoJSON Polygon, MultiPolygon or Feature of one, two numbers a position.
 *
 * @param field of the request, for the message
 * @throws PlanError `request.polygon` where it is no such thing
 */
export const parsePolygons = (geojson: unknown, field: string): Rings[] => {
  const { type, geometry, coordinates } = (geojson ?? {}) as Record<string, unknown>
  if (type === 'Feature' && geometry !== geojson && (geometry as { type?: unknown })?.type !== type)
    return parsePolygons(geometry, field)
  const list =
    type === 'Polygon' ? [coordinates] : type === 'MultiPolygon' ? (coordinates as unknown) : null
  const polygons = Array.isArray(list) ? list.map(ringsOf) : []
  if (polygons.length === 0 || polygons.some((rings) => !rings))
    throw new PlanError(
      'request.polygon',
      `${field}: is no GeoJSON Polygon or MultiPolygon: closed rings of four or more [lon, lat] in degrees`,
    )
  return polygons as Rings[]
}

type Point = readonly [number, number]

const turn = ([ax, ay]: Point, [bx, by]: Point, [cx, cy]: Point): number =>
  (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)

/** @see Andrew 1979, the monotone chain */
const hullOf = (points: readonly Point[]): Rings => {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1])
  const chain = (ordered: readonly Point[]): Point[] => {
    const kept: Point[] = []
    for (const point of ordered) {
      while (kept.length >= 2 && turn(kept.at(-2)!, kept.at(-1)!, point) <= 0) kept.pop()
      kept.push(point)
    }
    return kept.slice(0, -1)
  }
  const ring = [...chain(sorted), ...chain(sorted.reverse())]
  return [[...ring, ring[0]!].map(([x, y]): [number, number] => [x, y])]
}

/** Squared distance of a point from the line through two others, or from the first where they are one. */
const offLine = (point: Point, from: Point, to: Point): number => {
  const [x, y] = [to[0] - from[0], to[1] - from[1]]
  const length = x * x + y * y
  return length === 0
    ? (point[0] - from[0]) ** 2 + (point[1] - from[1]) ** 2
    : turn(from, to, point) ** 2 / length
}

/** @see Douglas and Peucker 1973; with a stack, for a ring may be long */
const simplified = (ring: Ring, tolerance: number): Ring => {
  const keep = new Uint8Array(ring.length)
  keep[0] = keep[ring.length - 1] = 1
  const parts: [number, number][] = [[0, ring.length - 1]]
  for (let part = parts.pop(); part; part = parts.pop()) {
    const [from, to] = part
    let [most, at] = [tolerance * tolerance, -1]
    for (let n = from + 1; n < to; n++) {
      const off = offLine(ring[n]!, ring[from]!, ring[to]!)
      if (off > most) [most, at] = [off, n]
    }
    if (at < 0) continue
    keep[at] = 1
    parts.push([from, at], [at, to])
  }
  return ring.filter((_, n) => keep[n])
}

const crosses = (a: Point, b: Point, c: Point, d: Point): boolean =>
  turn(a, b, c) * turn(a, b, d) < 0 && turn(c, d, a) * turn(c, d, b) < 0

const manyCrossings = (polygons: readonly Rings[]): boolean => {
  const edges = polygons.flat().flatMap((ring) => ring.slice(1).map((to, n) => [ring[n]!, to]))
  let count = 0
  for (const [n, [a, b]] of edges.entries())
    for (const [c, d] of edges.slice(n + 1))
      if (crosses(a!, b!, c!, d!) && ++count > MOST_CROSSINGS) return true
  return false
}

const countOf = (polygons: readonly Rings[]): number =>
  polygons.reduce((sum, rings) => sum + rings.reduce((all, ring) => all + ring.length, 0), 0)

/**
 * Polygons that are cheap to intersect: as given up to 200 positions, else simplified by as little
 * as brings them there; of those that stay longer, or cross themselves again and again, their hull.
 *
 * Shares of scenes and of clouds are reckoned with it; what the output is cut to is as given.
 */
export const planningPolygons = (polygons: readonly Rings[]): Rings[] => {
  const points = polygons.flat(2)
  const [least, most] = points.reduce(
    ([low, high], [x, y]) => [
      [Math.min(low[0]!, x), Math.min(low[1]!, y)],
      [Math.max(high[0]!, x), Math.max(high[1]!, y)],
    ],
    [
      [Infinity, Infinity],
      [-Infinity, -Infinity],
    ],
  )
  const side = Math.max(most![0]! - least![0]!, most![1]! - least![1]!)
  const simpler = (part: number) =>
    polygons
      .map((rings) => rings.map((ring) => simplified(ring, side * part)))
      .map((rings) => rings.filter((ring) => ring.length >= LEAST_RING))
      .filter((rings) => rings.length > 0)
  let few = [...polygons]
  // Where the coarsest is still long, none of the finer ones needs to be tried.
  if (countOf(few) > MOST_POINTS && countOf(simpler(COARSEST)) <= MOST_POINTS)
    for (let part = FINEST; countOf(few) > MOST_POINTS; part *= 2) few = simpler(part)
  const tooMuch = few.length === 0 || countOf(few) > MOST_POINTS || manyCrossings(few)
  return tooMuch ? [hullOf(points)] : few
}

const footprints = new WeakMap<Footprint, Geom>()

/** A scene's footprint, as cheap to intersect as a place is; empty where it is no polygon. */
export const footprintShape = (footprint: Footprint): Geom => {
  const known = footprints.get(footprint)
  if (known) return known
  const [geom] = shapesOf(footprint)
  const polygons = (geom ?? []) as Rings[]
  const isSingle = typeof geom?.[0]?.[0]?.[0] === 'number'
  const shape = geom ? planningPolygons(isSingle ? [geom as Rings] : polygons) : []
  footprints.set(footprint, shape)
  return shape
}
