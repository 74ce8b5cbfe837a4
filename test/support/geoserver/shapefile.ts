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

const RING = [
  [600_000, 4_300_000],
  [600_500, 4_300_000],
  [600_500, 4_299_500],
  [600_000, 4_299_500],
  [600_000, 4_300_000],
] as const
const PRJ =
  'PROJCS["WGS_1984_UTM_Zone_30N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",-3.0],PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'

/** A Shapefile's parts with one square of 500 m in EPSG:32630, and a number `class` of 1. */
export const shapefile = (name: string): Record<string, Buffer> => {
  const content = Buffer.alloc(48 + RING.length * 16)
  content.writeInt32LE(5, 0)
  const box = [600_000, 4_299_500, 600_500, 4_300_000]
  for (const [n, value] of box.entries()) content.writeDoubleLE(value, 4 + n * 8)
  content.writeInt32LE(1, 36)
  content.writeInt32LE(RING.length, 40)
  for (const [n, value] of RING.flat().entries()) content.writeDoubleLE(value, 48 + n * 8)
  const record = Buffer.alloc(8)
  record.writeInt32BE(1, 0)
  record.writeInt32BE(content.length / 2, 4)
  const head = (length: number): Buffer => {
    const bytes = emptyShape()
    bytes.writeInt32BE(length / 2, 24)
    for (const [n, value] of box.entries()) bytes.writeDoubleLE(value, 36 + n * 8)
    return bytes
  }
  const place = Buffer.alloc(8)
  place.writeInt32BE(50, 0)
  place.writeInt32BE(content.length / 2, 4)
  // dBASE III: a field of one digit, and one record.
  const dbf = Buffer.alloc(65 + 2 + 1)
  dbf[0] = 3
  dbf.set([126, 1, 1], 1)
  dbf.writeInt32LE(1, 4)
  dbf.writeInt16LE(65, 8)
  dbf.writeInt16LE(2, 10)
  dbf.write('class', 32)
  dbf.write('N', 43)
  dbf[48] = 1
  dbf[64] = 13
  dbf.write(' 1\u001a', 65)
  return {
    [`${name}.shp`]: Buffer.concat([head(108 + content.length), record, content]),
    [`${name}.shx`]: Buffer.concat([head(108), place]),
    [`${name}.dbf`]: dbf,
    [`${name}.prj`]: Buffer.from(PRJ),
  }
}
