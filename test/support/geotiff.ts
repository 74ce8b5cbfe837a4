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

type Tag = [id: number, type: 'short' | 'long' | 'double', values: number[]]
const TYPES = { short: [3, 2], long: [4, 4], double: [12, 8] } as const

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
): Buffer => {
  const pixels = Buffer.alloc(size * size * bands * 2)
  for (let row = 0, at = 0; row < size; row++)
    for (let column = 0; column < size; column++)
      for (let band = 0; band < bands; band++, at += 2)
        pixels.writeUInt16LE(value(band, row, column), at)
  const each = (number: number) => Array<number>(bands).fill(number)
  const tags: Tag[] = [
    [256, 'long', [size]],
    [257, 'long', [size]],
    [258, 'short', each(16)],
    [259, 'short', [1]],
    [262, 'short', [1]],
    [273, 'long', [8]],
    [277, 'short', [bands]],
    [278, 'long', [size]],
    [279, 'long', [pixels.length]],
    [284, 'short', [1]],
    [338, 'short', each(0).slice(1)],
    [339, 'short', each(1)],
    [33550, 'double', [10, 10, 0]],
    [33922, 'double', [0, 0, 0, 600_000, 4_300_000, 0]],
    [34735, 'short', [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32630]],
  ]
  const start = 8 + pixels.length
  const directory = Buffer.alloc(2 + tags.length * 12 + 4)
  directory.writeUInt16LE(tags.length)
  const more: Buffer[] = []
  let end = start + directory.length
  for (const [n, [id, type, values]] of tags.entries()) {
    const [code, width] = TYPES[type]
    const bytes = Buffer.alloc(Math.max(4, values.length * width))
    for (const [m, one] of values.entries())
      if (type === 'double') bytes.writeDoubleLE(one, m * 8)
      else bytes.writeUIntLE(one, m * width, width)
    const at = 2 + n * 12
    directory.writeUInt16LE(id, at)
    directory.writeUInt16LE(code, at + 2)
    directory.writeUInt32LE(values.length, at + 4)
    if (values.length * width <= 4) bytes.copy(directory, at + 8, 0, 4)
    else {
      directory.writeUInt32LE(end, at + 8)
      more.push(bytes)
      end += bytes.length
    }
  }
  const header = Buffer.from([0x49, 0x49, 42, 0, 0, 0, 0, 0])
  header.writeUInt32LE(start, 4)
  return Buffer.concat([header, pixels, directory, ...more])
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
