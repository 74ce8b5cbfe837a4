/** A sequence of numbers in [0, 1) that a seed gives again (mulberry32). */
export const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

type Tag = [id: number, type: 'text' | 'short' | 'long' | 'double', values: number[]]
const TYPES = { text: [2, 1], short: [3, 2], long: [4, 4], double: [12, 8] } as const

/** What a file says of its transparency. */
export interface Extras {
  readonly nodata?: number
  /** Whether a pixel is shown, as a mask inside the file */
  readonly mask?: (row: number, column: number) => boolean
  /** The last band says how opaque a pixel is */
  readonly alpha?: boolean
  /** Bits of a band */
  readonly bits?: 8 | 16
}

/** A directory (TIFF 6.0, section 2) to lie at `start`, and what its tags point to. */
const directory = (start: number, tags: readonly Tag[], last: boolean): Buffer => {
  const entries = Buffer.alloc(2 + tags.length * 12 + 4)
  entries.writeUInt16LE(tags.length)
  const more: Buffer[] = []
  let end = start + entries.length
  for (const [n, [id, type, values]] of tags.entries()) {
    const [code, width] = TYPES[type]
    const bytes = Buffer.alloc(Math.max(4, values.length * width))
    for (const [m, one] of values.entries())
      if (type === 'double') bytes.writeDoubleLE(one, m * 8)
      else bytes.writeUIntLE(one, m * width, width)
    const at = 2 + n * 12
    entries.writeUInt16LE(id, at)
    entries.writeUInt16LE(code, at + 2)
    entries.writeUInt32LE(values.length, at + 4)
    if (values.length * width <= 4) bytes.copy(entries, at + 8, 0, 4)
    else {
      entries.writeUInt32LE(end, at + 8)
      more.push(bytes)
      end += bytes.length
    }
  }
  if (!last) entries.writeUInt32LE(end, entries.length - 4)
  return Buffer.concat([entries, ...more])
}

const texts = (value: number | undefined): Tag[] =>
  value === undefined ? [] : [[42113, 'text', [...Buffer.from(`${value}\0`)]]]

/**
 * A small GeoTIFF without a library (TIFF 6.0, OGC GeoTIFF 1.1): uint16, pixels interleaved, not
 * compressed, EPSG:32630 at 10 m.
 *
 * @param value digital number of a band at a row and column
 */
export const geotiff = (
  size: number,
  bands: number,
  value: (band: number, row: number, column: number) => number,
  { nodata, mask, alpha = false, bits = 16 }: Extras = {},
): Buffer => {
  const pixels = Buffer.alloc((size * size * bands * bits) / 8)
  const shown = Buffer.alloc(mask ? size * size : 0)
  for (let row = 0, at = 0; row < size; row++)
    for (let column = 0; column < size; column++) {
      if (mask?.(row, column)) shown[row * size + column] = 255
      for (let band = 0; band < bands; band++, at += bits / 8)
        pixels.writeUIntLE(value(band, row, column), at, bits / 8)
    }
  const each = (number: number) => Array<number>(bands).fill(number)
  const extra = each(0).slice(1)
  if (alpha) extra[extra.length - 1] = 2
  const tags: Tag[] = [
    [256, 'long', [size]],
    [257, 'long', [size]],
    [258, 'short', each(bits)],
    [259, 'short', [1]],
    [262, 'short', [1]],
    [273, 'long', [8]],
    [277, 'short', [bands]],
    [278, 'long', [size]],
    [279, 'long', [pixels.length]],
    [284, 'short', [1]],
    [338, 'short', extra],
    [339, 'short', each(1)],
    [33550, 'double', [10, 10, 0]],
    [33922, 'double', [0, 0, 0, 600_000, 4_300_000, 0]],
    [34735, 'short', [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32630]],
    ...texts(nodata),
  ]
  const start = 8 + pixels.length + shown.length
  const header = Buffer.from([0x49, 0x49, 42, 0, 0, 0, 0, 0])
  header.writeUInt32LE(start, 4)
  const first = directory(start, tags, !mask)
  const parts = [header, pixels, shown, first]
  if (mask) {
    const masked: Tag[] = [
      [254, 'long', [4]],
      [256, 'long', [size]],
      [257, 'long', [size]],
      [258, 'short', [8]],
      [259, 'short', [1]],
      [262, 'short', [4]],
      [273, 'long', [8 + pixels.length]],
      [277, 'short', [1]],
      [278, 'long', [size]],
      [279, 'long', [shown.length]],
    ]
    parts.push(directory(start + first.length, masked, true))
  }
  return Buffer.concat(parts)
}

/** Means of Sentinel-2 L1C's 13 bands over land and over water, reflectance x 1e4. */
const LAND = [1150, 900, 850, 620, 1100, 2500, 3100, 3200, 3400, 1100, 15, 1700, 850]
const WATER = [1200, 950, 780, 480, 420, 330, 320, 290, 260, 120, 12, 120, 80]

/** Whether the lake of `lakeScene` covers a pixel. */
export const isWet = (size: number, row: number, column: number): boolean =>
  Math.hypot(row - size / 2, column - size / 2) < size / 4

/** A seeded scene of 13 bands: land, and a round lake in the middle. */
export const lakeScene = (seed: number, size = 96): Buffer => {
  const random = seeded(seed)
  return geotiff(size, 13, (band, row, column) => {
    const mean = (isWet(size, row, column) ? WATER : LAND)[band]!
    return Math.max(1, Math.round(mean * (0.95 + 0.1 * random())))
  })
}
