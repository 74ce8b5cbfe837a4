import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { isWet, lakeScene } from './geotiff.ts'

/** Side of the scene below, in pixels. */
export const LAKE_SIZE = 256
const folder = mkdtempSync(join(tmpdir(), 'geodag-scenes-'))
const made = join(folder, 'lake.tif')
writeFileSync(made, lakeScene(7, LAKE_SIZE))

/** Path of a seeded scene with a round lake: 13 bands like Sentinel-2 L1C, EPSG:32630, 10 m. */
export const LAKE = made

/** Share of the scene's pixels where a prediction [row, column] and the lake agree, over both: IoU. */
export const lakeOverlap = (water: (row: number, column: number) => boolean): number => {
  let [both, either] = [0, 0]
  for (let row = 0; row < LAKE_SIZE; row++)
    for (let column = 0; column < LAKE_SIZE; column++) {
      const pair = [water(row, column), isWet(LAKE_SIZE, row, column)]
      both += pair.every(Boolean) ? 1 : 0
      either += pair.some(Boolean) ? 1 : 0
    }
  return both / either
}

/**
 * A test of rasters that may not be redistributed: an extra to one of seeded scenes.
 *
 * They lie in `GEODAG_TEST_DATA`; without them the test is skipped, and a line says so.
 */
export const realTest = (
  title: string,
  files: readonly string[],
  body: (paths: Readonly<Record<string, string>>) => Promise<void>,
): void => {
  const data = process.env.GEODAG_TEST_DATA
  const missing = files.filter((name) => !data || !existsSync(join(data, name)))
  if (missing.length === 0)
    return void test(title, () =>
      body(Object.fromEntries(files.map((name) => [name, join(data!, name)]))),
    )
  const why = data ? `${data} lacks` : 'GEODAG_TEST_DATA is not set; it would hold'
  console.log(`geodag: skipped "${title}": ${why} ${missing.join(', ')}`)
  test.skip(title, () => {})
}
