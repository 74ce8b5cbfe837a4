import { type Geom, union } from 'polyclip-ts'

type Bbox = readonly [number, number, number, number]

const ringsOf = (geometry: unknown): Geom[] => {
  const shape = geometry as { type?: string; coordinates?: unknown; geometry?: unknown }
  if (shape?.type === 'Feature') return ringsOf(shape.geometry)
  if (shape?.type === 'Polygon' || shape?.type === 'MultiPolygon')
    return [shape.coordinates as Geom]
  return []
}
const boxOf = ([w, s, e, n]: Bbox): Geom => [
  [
    [w, s],
    [e, s],
    [e, n],
    [w, n],
    [w, s],
  ],
]

const shoelace = (ring: [number, number][]): number =>
  Math.abs(
    ring.reduce((sum, [x, y], i) => {
      const [u, v] = ring[(i + 1) % ring.length]!
      return sum + x * v - u * y
    }, 0) / 2,
  )

/**
 * Area in km² of the union of boxes and polygons in EPSG:4326, planar: degrees², 111 km a degree,
 * east-west shrunk by the cosine of the mean latitude of the union's bounds. @see contract.md 1.3
 */
export const areaOf = (boxes: readonly Bbox[], polygons: readonly unknown[]): number => {
  const shapes = [...boxes.map(boxOf), ...polygons.flatMap(ringsOf)]
  if (shapes.length === 0) return 0
  const merged = union(shapes[0]!, ...shapes.slice(1)) as [number, number][][][]
  const degrees = merged.reduce(
    (sum, [outer, ...holes]) =>
      sum + shoelace(outer!) - holes.reduce((inner, hole) => inner + shoelace(hole), 0),
    0,
  )
  const latitudes = merged.flat(2).map(([, y]) => y)
  const mean = (Math.min(...latitudes) + Math.max(...latitudes)) / 2
  return degrees * 111 * 111 * Math.cos((mean * Math.PI) / 180)
}
