import { NetCDFReader } from 'netcdfjs'
import type { Box, Raster } from './state.ts'

const WKT =
  'PROJCS["WGS 84 / UTM zone 30N",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",-3],PARAMETER["scale_factor",0.9996],PARAMETER["false_easting",500000],PARAMETER["false_northing",0],UNIT["metre",1],AUTHORITY["EPSG","32630"]]'

const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
/** Values begin at multiples of four bytes. */
const padded = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
const name = (text: string): Buffer => Buffer.concat([int(text.length), padded(Buffer.from(text))])
const attribute = ([key, text]: [string, string]): Buffer =>
  Buffer.concat([name(key), int(2), int(text.length), padded(Buffer.from(text))])
const list = (tag: number, items: readonly Buffer[]): Buffer =>
  Buffer.concat([int(items.length ? tag : 0), int(items.length), ...items])
const doubles = (values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 8)
  for (const [n, value] of values.entries()) bytes.writeDoubleBE(value, n * 8)
  return bytes
}

/**
 * A NetCDF file in the classic format (NetCDF Classic Format Specification, CDF-1) with CF's words
 * for its grid: float64 variables [row, column] at 10 m in EPSG:32630, where `geotiff` has its own.
 */
export const netcdf = (
  size: number,
  variables: Record<string, (row: number, column: number) => number>,
): Buffer => {
  const from = (start: number, step: number) =>
    doubles(Array.from({ length: size }, (_, n) => start + step * (n + 0.5)))
  const grid = (value: (row: number, column: number) => number) =>
    doubles(Array.from({ length: size * size }, (_, at) => value(Math.floor(at / size), at % size)))
  const axis = (word: string, key: string): [string, string][] => [
    ['standard_name', `projection_${word}_coordinate`],
    ['units', 'm'],
    ['axis', key],
  ]
  const all = [
    { key: 'y', dims: [0], about: axis('y', 'Y'), data: from(4_300_000, -10) },
    { key: 'x', dims: [1], about: axis('x', 'X'), data: from(600_000, 10) },
    {
      key: 'crs',
      dims: [],
      about: [['spatial_ref', WKT]] as [string, string][],
      data: doubles([0]),
    },
    ...Object.entries(variables).map(([key, value]) => ({
      ...{ key, dims: [0, 1], data: grid(value) },
      about: [['grid_mapping', 'crs']] as [string, string][],
    })),
  ]
  const header = (begin: number): Buffer => {
    let at = begin
    const described = all.map(({ key, dims, about, data }) => {
      const head = [name(key), int(dims.length), ...dims.map(int), list(12, about.map(attribute))]
      at += data.length
      return Buffer.concat([...head, int(6), int(data.length), int(at - data.length)])
    })
    const dimensions = ['y', 'x'].map((key) => Buffer.concat([name(key), int(size)]))
    const globals = [attribute(['Conventions', 'CF-1.8'])]
    const parts = [list(10, dimensions), list(12, globals), list(11, described)]
    return Buffer.concat([Buffer.from('CDF\u0001'), int(0), ...parts])
  }
  return Buffer.concat([header(header(0).length), ...all.map(({ data }) => data)])
}

/**
 * The coverages that a reader finds in a NetCDF file: its variables over rows and columns.
 *
 * @throws Error for what is no NetCDF file in the classic format
 */
export const coveragesIn = (bytes: Buffer): Map<string, Raster> => {
  const file = new NetCDFReader(bytes)
  const side = (key: string): [number, number] => {
    const values = file.getDataVariable(key) as number[]
    const half = Math.abs(values[1]! - values[0]!) / 2
    return [Math.min(...values) - half, Math.max(...values) + half]
  }
  const [[west, east], [south, north]] = [side('x'), side('y')]
  const box: Box = [west, south, east, north]
  return new Map(
    file.variables
      .filter(({ dimensions }) => dimensions.length >= 2)
      .map((variable) => [variable.name, { epsg: 32630, bands: 1, box }]),
  )
}
