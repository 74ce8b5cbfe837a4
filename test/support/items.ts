import type { FrozenBand, FrozenItem } from '../../connectors/item.ts'
import { projection } from '../../pipelines/area/crs.ts'

interface Placed {
  readonly id: string
  readonly datetime: string
  readonly cloud: number | null
  readonly epsg?: number
  /** Upper left corner and side, metres */
  readonly x: number
  readonly y: number
  readonly side?: number
  readonly more?: Partial<FrozenItem>
}

const band = (id: string, epsg: number, x: number, y: number, side: number): FrozenBand => ({
  href: `https://example.org/${id}.tif`,
  file_band: 1,
  scale: 1,
  offset: 0,
  nodata: 0,
  class_band: false,
  epsg,
  transform: [x, 10, 0, y, 0, -10],
  shape: [side / 10, side / 10],
  gsd: 10,
})

/** A square item of 10 m pixels on a UTM grid, its footprint in degrees; longitudes above 0 if `east`. */
export const squareItem = ({
  id,
  datetime,
  cloud,
  epsg = 32631,
  x,
  y,
  side = 5120,
  more,
}: Placed) => {
  const convert = projection(epsg)
  const corner = (dx: number, dy: number) => convert.inverse([x + dx, y - dy])
  const ring = [corner(0, 0), corner(0, side), corner(side, side), corner(side, 0), corner(0, 0)]
  const item: FrozenItem = {
    id,
    collection: 'sentinel_aws/sentinel-2-l2a',
    datetime,
    cloud_cover: cloud,
    tile: null,
    baseline: '05.10',
    platform: 'sentinel-2',
    orbit: null,
    footprint: { type: 'Polygon', coordinates: [ring] },
    bands: { blue: band(id, epsg, x, y, side) },
    warnings: [],
    ...more,
  }
  return item
}

/** [west, south, east, north] just inside a rectangle of a UTM grid. */
export const boxInside = (epsg: number, x: number, y: number, width: number, height: number) => {
  const convert = projection(epsg)
  const corners = [
    [x, y],
    [x + width, y],
    [x, y - height],
    [x + width, y - height],
  ].map((point) => convert.inverse(point as [number, number]))
  const lons = corners.map(([lon]) => lon!).sort((a, b) => a - b)
  const lats = corners.map(([, lat]) => lat!).sort((a, b) => a - b)
  return [lons[1]!, lats[1]!, lons[2]!, lats[2]!] as [number, number, number, number]
}
