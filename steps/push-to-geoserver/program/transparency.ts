import { isValues } from './style-values.ts'
import { readTiff } from './tiff.ts'

/** What a published raster needs, so that a map shows nothing where it has no data. */
export interface Transparency {
  /** A mask inside the file: a mosaic has to be told to read it */
  readonly mask: boolean
  /** Parameters of the coverage, by name */
  readonly parameters: Readonly<Record<string, string>>
  readonly warning?: string
}

/**
 * A colour map hides nodata by itself; a picture of three channels does not: the stretch makes
 * nodata black. There a mask or an alpha band counts, or, for bytes, the colour of nodata.
 */
export const transparencyOf = async (path: string, style: unknown): Promise<Transparency> => {
  const facts = await readTiff(path)
  if (!facts) return { mask: false, parameters: {} }
  const { mask, alpha, nodata, bits, bands } = facts
  if (mask) return { mask, parameters: { FootprintBehavior: 'Transparent' } }
  const picture = isValues(style) && Array.isArray(style.rgb) && !style.segmentation
  if (!picture || alpha || nodata === undefined) return { mask, parameters: {} }
  if (bands === 3 && bits === 8 && Number.isInteger(nodata) && nodata >= 0 && nodata <= 255) {
    const hex = nodata.toString(16).padStart(2, '0')
    return { mask, parameters: { InputTransparentColor: `#${hex.repeat(3)}` } }
  }
  const warning = `GeoServer may draw nodata (${nodata}) black in a picture of three channels: give the file a mask or an alpha band, such as by gdalwarp -dstalpha`
  return { mask, parameters: {}, warning }
}
