import type { Geom } from 'polyclip-ts'
import type { Grid } from '../../connectors/item.ts'
import { type Box, boxOf, centreOf, eastOf, isPolar, utmOf } from '../area/crs.ts'
import { parsePolygons, planningPolygons } from '../area/polygon.ts'
import { boundsOf, boxShape, type Rings, squareDegrees, unionOf } from '../area/shapes.ts'
import { ownGrid, tileNamed } from '../area/tile-names.ts'
import { breathe } from '../breathe.ts'
import { PlanError } from '../errors.ts'
import type { InferenceRequest } from '../request.ts'

/** One place of a request. */
export interface Area {
  /** Field of the request, for messages */
  readonly field: string
  readonly box: Box
  /** Longitudes in the frame of the box: over 180 where it crosses */
  readonly shape: Geom
  /** GeoJSON geometry that the output is cut to; null: the whole box */
  readonly clip: unknown
  /** MGRS name: only its own items */
  readonly tile: string | null
  /** The grid of such a tile at a resolution; null: UTM of the box */
  readonly grid: ((resolution: number) => Grid) | null
}

const WIDEST = 20

/** @throws PlanError `request.too_large` for a box that no single UTM zone can hold */
const checked = (area: Area): Area => {
  const width = eastOf(area.box) - area.box[0]
  if (width > WIDEST && !isPolar(utmOf(centreOf(area.box))))
    throw new PlanError(
      'request.too_large',
      `${area.field}: ${width.toFixed(1)} degrees of longitude do not fit one grid: split it into boxes of at most ${WIDEST}`,
    )
  return area
}

const ofBox = (box: Box, n: number): Area => ({
  field: `spatial_domain.bbox.${n}`,
  box,
  shape: boxShape(box),
  clip: null,
  tile: null,
  grid: null,
})

/** The longitudes of one grid: UTM zones, which beyond 84 degrees end. */
const POLAR = 84

/** Parts on both sides of 180 degrees, as RFC 7946 3.1.9 cuts them, in one frame. */
const joined = (polygons: Rings[]): Rings[] => {
  const [west, south, east, north] = boundsOf(polygons)
  if (east - west <= 180 || Math.abs(south + north) / 2 > POLAR) return polygons
  return polygons.map((rings) =>
    rings.map((ring) =>
      ring.map(([lon, lat]): [number, number] => [lon < 0 ? lon + 360 : lon, lat]),
    ),
  )
}

const geojsonOf = (polygons: Rings[]) =>
  polygons.length === 1
    ? { type: 'Polygon', coordinates: polygons[0] }
    : { type: 'MultiPolygon', coordinates: polygons }

const ofPolygon = (polygon: unknown, n: number, clip: boolean): Area => {
  const field = `spatial_domain.polygons.${n}`
  const polygons = joined(parsePolygons(polygon, field))
  const [west, south, east, north] = boundsOf(polygons)
  const shape = unionOf([planningPolygons(polygons)])
  if (!(west < east && south < north && squareDegrees(shape) > 0))
    throw new PlanError('request.polygon', `${field}: has no area`)
  return {
    field,
    box: boxOf(west, south, east, north),
    shape,
    clip: clip ? geojsonOf(polygons) : null,
    tile: null,
    grid: null,
  }
}

const ofTile = (name: unknown): Area => {
  const tile = tileNamed(name)
  const { corner } = tile
  return {
    field: `spatial_domain.tiles ${tile.name}`,
    box: tile.box,
    shape: boxShape(tile.box),
    clip: null,
    tile: corner ? tile.name : null,
    grid: corner ? (resolution) => ownGrid(corner, resolution) : null,
  }
}

/** The places of a request in its own order: boxes, polygons, tiles. @throws PlanError */
export const areasOf = async ({
  spatial_domain: domain,
  clip,
}: InferenceRequest): Promise<Area[]> => {
  const areas = (domain.bbox ?? []).map((box, n) => ofBox(box, n))
  for (const [n, polygon] of (domain.polygons ?? []).entries()) {
    areas.push(ofPolygon(polygon, n, clip))
    await breathe()
  }
  return [...areas, ...(domain.tiles ?? []).map(ofTile)].map(checked)
}
