import { type FileHandle, open } from 'node:fs/promises'

/** What a server makes pixels transparent by. */
export interface TiffFacts {
  readonly bands: number
  /** Of a band */
  readonly bits: number
  /** A mask inside the file */
  readonly mask: boolean
  readonly alpha: boolean
  readonly nodata: number | undefined
}

const NEW_SUBFILE_TYPE = 254
const BITS = 258
const SAMPLES = 277
const EXTRA_SAMPLES = 338
const GDAL_NODATA = 42113
/** Bit of NewSubfileType: a transparency mask for another image of the file */
const MASK = 4
/** Of ExtraSamples: associated and unassociated alpha */
const ALPHA = [1, 2]
/** Bytes of a value, by the number of its type */
const WIDTHS: Record<number, number> = { 1: 1, 2: 1, 3: 2, 4: 4, 16: 8 }
/** Images with masks and overviews of a file that people make are some twenty. */
const MOST_IMAGES = 256
const MOST_TAGS = 4096

type Tags = ReadonlyMap<number, { numbers: readonly number[]; text: string }>

/** Reads directories of TIFF 6.0 and of BigTIFF, in either byte order. */
class Reader {
  private readonly file: FileHandle
  private readonly little: boolean
  readonly big: boolean

  constructor(file: FileHandle, head: Buffer) {
    this.file = file
    this.little = head.toString('latin1', 0, 2) === 'II'
    this.big = this.number(head, 2, 2) === 43
  }

  number(bytes: Buffer, at: number, width: number): number {
    if (width === 1) return bytes.readUInt8(at)
    if (width === 8)
      return Number(this.little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at))
    return this.little ? bytes.readUIntLE(at, width) : bytes.readUIntBE(at, width)
  }

  async bytes(at: number, length: number): Promise<Buffer> {
    const { bytesRead, buffer } = await this.file.read(Buffer.alloc(length), 0, length, at)
    if (bytesRead < length) throw new RangeError('the file ends before its directory')
    return buffer
  }

  /** Tags of the directory at an offset, and where the next one lies; 0 after the last. */
  async directory(at: number): Promise<{ tags: Tags; next: number }> {
    const [head, size, word] = this.big ? [8, 20, 8] : [2, 12, 4]
    const count = this.number(await this.bytes(at, head), 0, head)
    if (count > MOST_TAGS) throw new RangeError(`${count} tags`)
    const body = await this.bytes(at + head, count * size + word)
    const tags = new Map<number, { numbers: number[]; text: string }>()
    for (let n = 0; n < count; n++) {
      const entry = body.subarray(n * size, (n + 1) * size)
      const id = this.number(entry, 0, 2)
      if (![NEW_SUBFILE_TYPE, BITS, SAMPLES, EXTRA_SAMPLES, GDAL_NODATA].includes(id)) continue
      const width = WIDTHS[this.number(entry, 2, 2)]
      const values = Math.min(this.number(entry, 4, word), MOST_TAGS)
      if (!width) continue
      const held = entry.subarray(size - word)
      const inside = values * width <= word
      const bytes = inside ? held : await this.bytes(this.number(held, 0, word), values * width)
      const numbers = Array.from({ length: values }, (_, i) => this.number(bytes, i * width, width))
      tags.set(id, { numbers, text: bytes.toString('latin1', 0, values * width) })
    }
    return { tags, next: this.number(body, count * size, word) }
  }
}

const factsOf = async (file: FileHandle): Promise<TiffFacts | undefined> => {
  const head = (await file.read(Buffer.alloc(16), 0, 16, 0)).buffer
  if (!/^(II[*+]\0|MM\0[*+])/.test(head.toString('latin1'))) return undefined
  const reader = new Reader(file, head)
  let at = reader.big ? reader.number(head, 8, 8) : reader.number(head, 4, 4)
  let first: Tags | undefined
  let mask = false
  for (let n = 0; at && n < MOST_IMAGES; n++) {
    const { tags, next } = await reader.directory(at)
    first ??= tags
    mask ||= ((tags.get(NEW_SUBFILE_TYPE)?.numbers[0] ?? 0) & MASK) !== 0
    at = next
  }
  const nodata = Number.parseFloat(first?.get(GDAL_NODATA)?.text ?? '')
  return {
    bands: first?.get(SAMPLES)?.numbers[0] ?? 1,
    bits: first?.get(BITS)?.numbers[0] ?? 1,
    mask,
    alpha: (first?.get(EXTRA_SAMPLES)?.numbers ?? []).some((kind) => ALPHA.includes(kind)),
    nodata: Number.isNaN(nodata) ? undefined : nodata,
  }
}

/**
 * What a TIFF's directories say of transparency; undefined for what is no TIFF, or one that ends
 * early: the server that gets it says what is wrong.
 *
 * @see TIFF 6.0, sections 2 and 18; GDAL's tag 42113 for nodata
 */
export const readTiff = async (path: string): Promise<TiffFacts | undefined> => {
  const file = await open(path)
  try {
    return await factsOf(file)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  } finally {
    await file.close()
  }
}
