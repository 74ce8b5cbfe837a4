import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
