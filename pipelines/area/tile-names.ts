import mgrs from 'mgrs'
import type { Grid } from '../../connectors/item.ts'
import { PlanError } from '../errors.ts'
import { type Box, projection, utmOf } from './crs.ts'
import { boxOfGrid } from './grid.ts'

const MGRS = /^T?(\d{1,2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V])$/i
const XYZ = /^(\d{1,2})\/(\d+)\/(\d+)$/
/** Side of a Sentinel-2 tile and of the square that it is named after, metres. */
const TILE_SIDE = 109_800
const SQUARE = 100_000
/** Corners of Sentinel-2 tiles lie on the lattice of its coarsest band. */
const COARSEST = 60

export interface NamedTile {
  readonly name: string
  readonly box: Box
  /** EPSG of the tile's own grid and its upper left corner, metres; null for a Web Mercator key */
  readonly corner: { readonly epsg: number; readonly x: number; readonly y: number } | null
}

/** The tile's own grid at a resolution, metres: 10 980 x 10 980 at 10 m. */
export const ownGrid = (
  { epsg, x, y }: NonNullable<NamedTile['corner']>,
  resolution: number,
): Grid => ({
  epsg,
  transform: [x, resolution, 0, y, 0, -resolution],
  width: Math.round(TILE_SIDE / resolution),
  height: Math.round(TILE_SIDE / resolution),
})

/**
 * The Sentinel-2 tile of a 100 km square of the military grid.
 *
 * @see Sentinel-2 Products Specification Document, tiling grid: 109 800 m, corners on 60 m
 */
const mgrsTile = (name: string): NamedTile => {
  let point: [number, number]
  try {
    point = mgrs.toPoint(name.padStart(5, '0')) as [number, number]
  } catch {
    throw new PlanError('request.tile', `spatial_domain.tiles: ${name} is no square of the grid`)
  }
  const epsg = utmOf([Number(name.slice(0, -3)) * 6 - 183, point[1]])
  const convert = projection(epsg)
  const [easting, northing] = convert.forward(point)
  const west = Math.floor(easting! / SQUARE + 1e-6) * SQUARE
  const south = Math.floor(northing! / SQUARE + 1e-6) * SQUARE
  const x = Math.floor(west / COARSEST) * COARSEST
  const y = Math.ceil((south + SQUARE) / COARSEST) * COARSEST
  const box = boxOfGrid(ownGrid({ epsg, x, y }, COARSEST))
  return { name, box, corner: { epsg, x, y } }
}

const mercatorTile = (name: string, [z, x, y]: readonly number[]): NamedTile => {
  const count = 2 ** z!
  if (z! > 22 || x! >= count || y! >= count)
    throw new PlanError(
      'request.tile',
      `spatial_domain.tiles: ${name}: z is at most 22, x and y below 2^z`,
    )
  const longitude = (at: number) => (at / count) * 360 - 180
  const latitude = (at: number) =>
    (Math.atan(Math.sinh(Math.PI * (1 - (2 * at) / count))) * 180) / Math.PI
  return {
    name,
    box: [longitude(x!), latitude(y! + 1), longitude(x! + 1), latitude(y!)],
    corner: null,
  }
}

/**
 * A tile by name: a square of the military grid such as 31TCJ, or a Web Mercator key `z/x/y`.
 *
 * @throws PlanError `request.tile`
 */
export const tileNamed = (tile: unknown): NamedTile => {
  const name = typeof tile === 'string' ? tile.trim() : ''
  const square = MGRS.exec(name)?.[1]
  if (square) return mgrsTile(square.toUpperCase())
  const key = XYZ.exec(name)
  if (key) return mercatorTile(name, key.slice(1).map(Number))
  throw new PlanError(
    'request.tile',
    `spatial_domain.tiles: ${JSON.stringify(tile)?.slice(0, 50)} is neither an MGRS square such as 31TCJ nor a Web Mercator key z/x/y`,
  )
}
