import { fromArrayBuffer, type GeoTIFF, type GeoTIFFImage } from 'geotiff'
import proj4 from 'proj4'
import type { Box, Raster } from './state.ts'

/** Compressions that imageio-ext's TIFF reader knows: none, CCITT, LZW, JPEG, Deflate, PackBits, ZSTD. */
const READABLE = new Set([1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 50000])

/** What a reader learns of a GeoTIFF. @throws Error for one that GeoServer can't read */
export const readRaster = async (bytes: Buffer): Promise<Raster> => {
  const copy = new Uint8Array(bytes).buffer
  const file = await fromArrayBuffer(copy)
  const image = await file.getImage()
  const compression = Number(image.fileDirectory.getValue?.('Compression') ?? 1)
  if (!READABLE.has(compression)) throw new Error(`Unsupported compression type ${compression}`)
  const keys = (image.getGeoKeys() ?? {}) as Record<string, number>
  const epsg = keys.ProjectedCSTypeGeoKey ?? keys.GeographicTypeGeoKey
  if (!epsg) throw new Error('Could not find the CRS')
  return {
    ...{ epsg, bands: image.getSamplesPerPixel(), box: image.getBoundingBox() as Box },
    ...{ size: [image.getWidth(), image.getHeight()], type: typeOf(image) },
    ...{ transparency: await transparencyOf(file), nodata: image.getGDALNoData() },
  }
}

const typeOf = (image: GeoTIFFImage): string => {
  const bits = image.getBitsPerSample()
  if (image.getSampleFormat() === 3) return `Float${bits}`
  return bits === 8 ? 'Byte' : `${image.getSampleFormat() === 2 ? 'Int' : 'UInt'}${bits}`
}

/** The mask is an image of its own in the file. */
const transparencyOf = async (file: GeoTIFF): Promise<Raster['transparency']> => {
  const images = await Promise.all(
    Array.from({ length: await file.getImageCount() }, (_, n) => file.getImage(n)),
  )
  const tag = (image: GeoTIFFImage, name: string) => image.fileDirectory.getValue?.(name as never)
  if (images.some((image) => (Number(tag(image, 'NewSubfileType') ?? 0) & 4) !== 0)) return 'mask'
  const extra = [...((tag(images[0]!, 'ExtraSamples') ?? []) as Iterable<number>)]
  return extra.some((kind) => kind === 1 || kind === 2) ? 'alpha' : undefined
}

const definition = (epsg: number): string => {
  if (epsg === 4326) return 'EPSG:4326'
  if (epsg === 3857) return 'EPSG:3857'
  const zone = epsg % 100
  if (epsg > 32600 && epsg <= 32660) return `+proj=utm +zone=${zone} +datum=WGS84`
  if (epsg > 32700 && epsg <= 32760) return `+proj=utm +zone=${zone} +south +datum=WGS84`
  throw new Error(`no definition of EPSG:${epsg}`)
}

/** A box in degrees: around the corners, as GeoServer's first guess is. */
export const degrees = ([w, s, e, n]: Box, srs: string): Box => {
  const { forward } = proj4(definition(Number(srs.split(':')[1])), 'EPSG:4326')
  const corners = [
    [w, s],
    [w, n],
    [e, s],
    [e, n],
  ].map((corner) => forward(corner))
  const [x, y] = [corners.map(([lon]) => lon!), corners.map(([, lat]) => lat!)]
  return [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)]
}

export const around = (boxes: readonly Box[]): Box => [
  Math.min(...boxes.map((box) => box[0])),
  Math.min(...boxes.map((box) => box[1])),
  Math.max(...boxes.map((box) => box[2])),
  Math.max(...boxes.map((box) => box[3])),
]
