type Ring = number[][]

/** One side of Sutherland and Hodgman's clipping (1974): what lies within of a closed ring. */
const side = (ring: Ring, within: (lon: number) => boolean, edge: number): Ring =>
  ring.flatMap((point, n) => {
    const before = ring[(n + ring.length - 1) % ring.length]!
    const [x, y] = point as [number, number]
    const [px, py] = before as [number, number]
    const crossing = [edge, py + ((y - py) * (edge - px)) / (x - px || 1)]
    if (within(x)) return within(px) ? [point] : [crossing, point]
    return within(px) ? [crossing] : []
  })

/** Polygons in degrees, cut to the longitudes from west to east and to 80° of latitude. */
export const clipped = (
  polygons: readonly Ring[][],
  [west, east]: readonly [number, number],
): Ring[][] => {
  const parts = [0, west < -180 ? -360 : 0, east > 180 ? 360 : 0]
  const shifts = [...new Set(parts)]
  return shifts.flatMap((shift) =>
    polygons.flatMap((polygon) => {
      const rings = polygon.flatMap((ring) => {
        const moved = ring.map(([lon, lat]) => [lon! + shift, Math.max(-80, Math.min(84, lat!))])
        const first = side(moved, (lon) => lon >= west, west)
        const both = first.length ? side(first, (lon) => lon <= east, east) : []
        return both.length > 2 ? [[...both, both[0]!]] : []
      })
      return rings.length ? [rings] : []
    }),
  )
}
