import type { Footprint } from '../../connectors/item.ts'
import type { CatalogueRow } from '../../connectors/row.ts'
import type { Box } from '../area/crs.ts'
import { footprintShape } from '../area/polygon.ts'
import { boxShape, overlapOf, type Rings, squareDegrees } from '../area/shapes.ts'
import { dimensionsOf } from '../area/tiling.ts'
import { breathe } from '../breathe.ts'
import type { Found, FoundTask } from './catalogue.ts'
import type { Modality } from './modalities.ts'

/** What one task would read and write; bytes are upper bounds, for packed sizes are not known. */
export interface TaskEstimate {
  readonly bbox: Box
  /** Columns and rows of the box itself at the wanted resolution */
  readonly dimensions: readonly [number, number]
  readonly grid: FoundTask['source']['grid']
  readonly date: string | null
  readonly cloud: number | null
  readonly coverage: number
  readonly items: readonly {
    readonly id: string
    readonly collection: string
    readonly datetime: string
    readonly cloud_cover: number | null
    /** Of the box, 0 to 1 */
    readonly share: number
    readonly baseline: string | null
  }[]
  readonly bytes_read: number
  readonly bytes_written: number
  readonly requests: number
  readonly processing_units: number
}
export interface Estimate {
  readonly tasks: readonly TaskEstimate[]
  readonly totals: {
    readonly tasks: number
    readonly items: number
    readonly days: number
    readonly pixels: number
    readonly bytes_read: number
    readonly bytes_written: number
    readonly requests: number
    readonly cost: string
  }
  readonly missing: Found['missing']
  readonly warnings: readonly string[]
  /** What is measured in the items' metadata, and what is reckoned from sizes */
  readonly measured: readonly string[]
  readonly estimated: readonly string[]
}

const BLOCK = 512
const BYTES = 2
/** @see Sentinel Hub documentation, processing units: 512 x 512 pixels, 3 bands, 16 bit are one */
const UNIT_PIXELS = 512 * 512
const UNIT_BANDS = 3
const LEAST_UNITS = 0.005

const shareOf = (footprint: Footprint, box: Box): number => {
  const whole = boxShape(box)
  const inside = overlapOf(footprintShape(footprint), whole)
  return Math.min(1, squareDegrees(inside) / squareDegrees([whole as Rings]))
}

const isServed = (row: CatalogueRow): boolean => row.search?.kind === 'sentinelhub'

/** Blocks of one band that an item's part of the box touches, with the rim. */
const blocksOf = (task: FoundTask, share: number, gsd: number): number => {
  const { grid } = task.source
  const scale = (grid.transform[1] / gsd) * Math.sqrt(share)
  const across = (pixels: number) => Math.ceil((pixels * scale) / BLOCK) + 1
  return share > 0 ? across(grid.width) * across(grid.height) : 0
}

const taskEstimate = (task: FoundTask, modalities: readonly Modality[]): TaskEstimate => {
  const { source } = task
  const dimensions = dimensionsOf(source.bbox, source.grid.transform[1])
  const pixels = dimensions[0] * dimensions[1]
  let bytes_read = 0
  let requests = 0
  let processing_units = 0
  const items = source.modalities.flatMap((part, n) => {
    const { row, bands } = modalities[n]!
    if (isServed(row)) {
      const units = (pixels / UNIT_PIXELS) * (bands.length / UNIT_BANDS)
      processing_units += Math.max(LEAST_UNITS, units)
      bytes_read += pixels * bands.length * BYTES
      requests += 1
    }
    return part.items.map((item) => {
      const share = shareOf(item.footprint, source.bbox)
      const { id, datetime, cloud_cover, baseline } = item
      for (const band of isServed(row) ? [] : Object.values(item.bands)) {
        const blocks = blocksOf(task, share, band.gsd ?? source.grid.transform[1])
        bytes_read += blocks * BLOCK * BLOCK * (band.class_band ? 1 : BYTES)
        requests += blocks
      }
      return { id, collection: part.collection, datetime, cloud_cover, share, baseline }
    })
  })
  const written = modalities.reduce((sum, { bands }) => sum + bands.length, 0)
  return {
    bbox: source.bbox,
    dimensions,
    grid: source.grid,
    date: task.date,
    cloud: task.cloud,
    coverage: task.coverage,
    items,
    bytes_read,
    bytes_written: pixels * written * BYTES,
    requests,
    processing_units: Math.round(processing_units * 1000) / 1000,
  }
}

const costOf = (tasks: readonly TaskEstimate[]): string => {
  const units = tasks.reduce((sum, task) => sum + task.processing_units, 0)
  return units > 0 ? `${Math.round(units * 10) / 10} processing units of Sentinel Hub` : 'free'
}

/** The plan in numbers, before anything is read; its items are those that the tasks will read. */
export const estimateOf = async (
  found: Found,
  modalities: readonly Modality[],
): Promise<Estimate> => {
  const tasks: TaskEstimate[] = []
  for (const task of found.tasks) {
    tasks.push(taskEstimate(task, modalities))
    await breathe()
  }
  const sum = (of: (task: TaskEstimate) => number) => tasks.reduce((all, task) => all + of(task), 0)
  return {
    tasks,
    totals: {
      tasks: tasks.length,
      items: new Set(tasks.flatMap((task) => task.items.map(({ id }) => id))).size,
      days: new Set(tasks.map(({ date }) => date)).size,
      pixels: sum(({ dimensions: [width, height] }) => width * height),
      bytes_read: sum((task) => task.bytes_read),
      bytes_written: sum((task) => task.bytes_written),
      requests: sum((task) => task.requests),
      cost: costOf(tasks),
    },
    missing: found.missing,
    warnings: found.warnings,
    measured: ['items', 'cloud', 'coverage', 'grid', 'dimensions'],
    estimated: ['bytes_read', 'bytes_written', 'requests', 'processing_units', 'cost'],
  }
}
