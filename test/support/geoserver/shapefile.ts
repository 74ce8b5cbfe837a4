import type { Table } from './state.ts'

/** Codes of the header: 1 point, 3 line, 5 polygon, 8 points; with 10 and 20 more for Z and M. */
const geometryOf = (code: number): Table['geometry'] =>
  code % 10 === 3 ? 'LINE' : code % 10 === 5 ? 'POLYGON' : 'POINT'

const epsgOf = (prj: string): number => {
  const [, zone, side] = /UTM[ _]zone[ _](\d+)([NS])/i.exec(prj) ?? []
  if (zone) return (side!.toUpperCase() === 'N' ? 32600 : 32700) + Number(zone)
  return 4326
}

/**
 * What the header of a .shp file and its .prj tell (ESRI Shapefile Technical Description, 1998).
 *
 * @throws Error for what is no shapefile
 */
export const shapeTable = (name: string, shp: Buffer, prj = ''): Table => {
  if (shp.length < 100 || shp.readInt32BE(0) !== 9994) throw new Error(`${name}.shp: wrong magic`)
  const box = [36, 44, 52, 60].map((at) => shp.readDoubleLE(at)) as unknown as Table['box']
  return { name, geometry: geometryOf(shp.readInt32LE(32)), box, epsg: epsgOf(prj) }
}

/** The header alone of a shapefile of areas: no records, a box in degrees. */
export const emptyShape = (): Buffer => {
  const shp = Buffer.alloc(100)
  shp.writeInt32BE(9994, 0)
  shp.writeInt32BE(50, 24)
  shp.writeInt32LE(1000, 28)
  shp.writeInt32LE(5, 32)
  for (const [n, value] of [-1, 38, 0, 39].entries()) shp.writeDoubleLE(value, 36 + n * 8)
  return shp
}
