import type { Drawn } from './mapfile.ts'
import { readRaster } from './raster.ts'
import type { Raster } from './state.ts'
import type { Found, MapServer } from './wms.ts'

/** The raster without its mask and its nodata, for MapServer would see both. */
const opaque = (source: string, { size, type, bands }: Raster, transform: string): string => {
  const all = Array.from(
    { length: bands },
    (_, n) =>
      `<VRTRasterBand dataType="${type}" band="${n + 1}"><SimpleSource>` +
      `<SourceFilename>${source}</SourceFilename><SourceBand>${n + 1}</SourceBand></SimpleSource></VRTRasterBand>`,
  )
  return `<VRTDataset rasterXSize="${size![0]}" rasterYSize="${size![1]}"><GeoTransform>${transform}</GeoTransform>${all.join('')}</VRTDataset>`
}

/**
 * A picture of three channels as GeoServer shows it: the mask of a GeoTIFF hides, that of a mosaic's
 * granule where the mosaic's own file and its parameter say so; bytes hide by a transparent colour,
 * and an alpha band stays. Nodata alone is stretched as any other value.
 *
 * @see GeoTools: GeoTiffReader, MultiLevelROIProviderMosaicFactory, ChannelSelectionNode
 */
export const picture = async (
  server: MapServer,
  { store, name }: Found,
  folder: ReadonlyMap<string, Buffer>,
  file: string,
  path: string,
): Promise<Pick<Drawn, 'path' | 'alpha'>> => {
  const raster = await readRaster(folder.get(file)!)
  const { parameters } = store.coverages.get(name)!
  if (raster.transparency === 'alpha') return { path, alpha: raster.bands }
  const footprints = folder.get('footprints.properties')?.toString() ?? ''
  const told =
    store.type === 'GeoTIFF' ||
    (/^footprint_source=raster\s*$/m.test(footprints) &&
      parameters.FootprintBehavior === 'Transparent')
  if (raster.transparency === 'mask' && told) return { path }
  const color = Number.parseInt(parameters.InputTransparentColor?.slice(1, 3) ?? '', 16)
  if (raster.type === 'Byte' && color === raster.nodata) return { path }
  const [west, south, east, north] = raster.box
  const [width, height] = raster.size!
  const transform = [west, (east - west) / width, 0, north, 0, (south - north) / height].join()
  const plain = server.write(
    `${path.replace('/data/', '')}.vrt`,
    Buffer.from(opaque(path, raster, transform)),
  )
  return { path: plain }
}
