import type { Geom } from 'polyclip-ts'
import type { FrozenItem, Grid } from '../../connectors/item.ts'
import type { ModalityItems } from '../../steps/plan-context.ts'
import { type Box, centreOf, eastOf, isKnownCrs, plausibleCrs, utmOf } from '../area/crs.ts'
import { boxOfGrid, type Lattice, outlineOf } from '../area/grid.ts'
import { footprintShape } from '../area/polygon.ts'
import { boxShape, overlapOf, type Shape, squareDegrees, touches, unionOf } from '../area/shapes.ts'
import { breathe } from '../breathe.ts'
import { cutGrid, dimensionsOf, type Tile, tilesOf } from '../area/tiling.ts'
import { PlanError } from '../errors.ts'
import type { InferenceRequest } from '../request.ts'
import type { Area } from './areas.ts'
import type { Catalogue, FoundTask, NoData } from './catalogue.ts'
import { addDays, type DayRange, daysBetween, intervalOf, rangesOf } from './dates.ts'
import { bestOf, type Day, daysOf, type Refused, withinLimits } from './days.ts'
import { type Modality, resolutionOf } from './modalities.ts'

const MOST_ITEMS = 20
const MOST_PIXELS = 400_000_000
// A side of one answer of Sentinel Hub's process API.
const MOST_SERVED = 2400
const NEAR_DAYS = [7, 14, 28]
const NEAREST = 5
// A scene's footprint is simplified: what touches within this distance, degrees and metres, may have
// pixels inside.
const GROWN = 0.01
const RIM = 1100

const grown = ([west, south, east, north]: Box): Box => [
  west,
  Math.max(-90, south - GROWN),
  east,
  Math.min(90, north + GROWN),
]

/** One search of a plan: its request, its collections and what it noticed on the way. */
export class AreaSearch {
  readonly warnings = new Set<string>()
  private readonly request: InferenceRequest
  private readonly modalities: readonly Modality[]
  private readonly catalogue: Catalogue
  private readonly resolution: number
  private readonly ranges: readonly DayRange[]

  constructor(request: InferenceRequest, modalities: readonly Modality[], catalogue: Catalogue) {
    this.request = request
    this.modalities = modalities
    this.catalogue = catalogue
    this.resolution = resolutionOf(modalities, request)
    this.ranges = rangesOf(request.temporal_domain, catalogue.today)
  }

  private async items(modality: Modality, area: Area, range: DayRange | null) {
    const { row, bands } = modality
    const { items, warnings } = await this.catalogue.search(row, {
      bbox: grown(area.box),
      interval: range && !row.search!.timeless ? intervalOf(range) : null,
      bands,
      ...(area.tile && row.search!.tile ? { tile: area.tile } : {}),
    })
    for (const text of warnings) this.warnings.add(`${modality.collection}: ${text}`)
    return items
  }

  private limits({ row }: Modality) {
    const { maxcc, min_coverage } = this.request
    return { maxcc: row.search!.cloud ? maxcc : 0, min_coverage }
  }

  /** Days of one modality inside a range, within the limits or not. */
  private async days(modality: Modality, area: Area, range: DayRange) {
    const items = await this.items(modality, area, range)
    const [longitude] = centreOf(area.box)
    const all = await daysOf(items, area.shape, longitude)
    const days = all.filter(({ date }) => date >= range.first && date <= range.last)
    for (const day of days)
      if (day.cloud === null && modality.row.search!.cloud && this.request.maxcc < 100)
        this.warnings.add(`${modality.collection} ${day.date}: cloud cover unknown, kept`)
    return withinLimits(days, this.limits(modality))
  }

  private async nearest(modality: Modality, area: Area): Promise<string[]> {
    const first = this.ranges.map((range) => range.first).sort()[0]!
    const last = this.ranges
      .map((range) => range.last)
      .sort()
      .at(-1)!
    const distance = (date: string) =>
      date < first ? daysBetween(date, first) : daysBetween(last, date)
    for (const days of NEAR_DAYS) {
      const range = { first: addDays(first, -days), last: addDays(last, days) }
      const { kept } = await this.days(modality, area, range)
      const near = [...new Set(kept.map(({ date }) => date))]
      near.sort((a, b) => distance(a) - distance(b) || (a < b ? -1 : 1))
      if (near.length) return near.slice(0, NEAREST)
    }
    return []
  }

  private reason(modality: Modality, refused: readonly Refused[]): string {
    if (refused.length === 0)
      return `no item of ${modality.collection} for this place and time in its catalogue`
    const listed = refused.slice(0, NEAREST).map(({ day, why }) => `${day.date}: ${why}`)
    return `${modality.collection}: ${listed.join('; ')}`
  }

  /** The days to run of the first modality; or why there is none. */
  private async primary(area: Area): Promise<{ days: Day[]; refused: Refused[] }> {
    const modality = this.modalities[0]!
    if (modality.row.search!.timeless)
      return { days: await this.timeless(modality, area), refused: [] }
    const found = await Promise.all(this.ranges.map((range) => this.days(modality, area, range)))
    const kept = new Map(found.flatMap(({ kept }) => kept).map((day) => [day.date + day.pass, day]))
    const days = [...kept.values()].sort((a, b) => (a.date + a.pass < b.date + b.pass ? -1 : 1))
    return {
      days: bestOf(days, this.request.one_per),
      refused: found.flatMap(({ refused }) => refused),
    }
  }

  private async timeless(modality: Modality, area: Area): Promise<Day[]> {
    const items = await this.items(modality, area, null)
    const days = await daysOf(items, area.shape, 0)
    if (days.length === 0) return []
    const all = days.flatMap((day) => day.items)
    return [{ ...days[0]!, items: all, cloud: null }]
  }

  /** Of each further modality the day nearest to the first one's, within its tolerance. */
  private async partners(area: Area, days: readonly Day[]): Promise<(Day | undefined)[][]> {
    const others = this.modalities.slice(1)
    return Promise.all(
      others.map(async (modality) => {
        if (modality.row.search!.timeless) {
          const [day] = await this.timeless(modality, area)
          return days.map(() => day)
        }
        const { tolerance } = modality
        const range = {
          first: addDays(days[0]!.date, -tolerance),
          last: addDays(days.at(-1)!.date, tolerance),
        }
        const { kept } = await this.days(modality, area, range)
        const off = (day: Day, date: string) => Math.abs(daysBetween(day.date, date))
        return days.map(({ date }) =>
          kept
            .filter((day) => off(day, date) <= tolerance)
            .sort((a, b) => off(a, date) - off(b, date) || b.coverage - a.coverage)
            .at(0),
        )
      }),
    )
  }

  /** The items' own lattice where all share one, else that of the box centre's UTM zone. */
  private lattice(area: Area, items: readonly FrozenItem[]): Lattice {
    const { resolution } = this
    const bands = items.flatMap((item) => Object.values(item.bands))
    const codes = new Set(bands.map(({ epsg }) => epsg))
    const [said] = codes
    const centre = centreOf(area.box)
    const epsg = said == null ? undefined : plausibleCrs(said, centre)
    if (codes.size === 1 && said != null && isKnownCrs(said) && epsg !== said)
      this.warnings.add(
        `${area.field}: its items name EPSG:${said}, where the place is not: the grid is EPSG:${epsg ?? utmOf(centre)}`,
      )
    const origins = new Set(
      bands.map(({ transform }) => {
        const [x, , , y] = transform ?? [0, 0, 0, 0]
        const part = (value: number) => ((value % resolution) + resolution) % resolution
        return `${part(x!)} ${part(y!)}`
      }),
    )
    if (codes.size !== 1 || epsg === undefined)
      return { epsg: utmOf(centre), resolution, origin: [0, 0] }
    const [x = 0, y = 0] = origins.size === 1 ? [...origins][0]!.split(' ').map(Number) : []
    return { epsg, resolution, origin: [x, y] }
  }

  private tiles(area: Area, items: readonly FrozenItem[]): Tile[] {
    if (area.grid) {
      const served = this.modalities.some(({ row }) => row.search!.kind === 'sentinelhub')
      const grids = cutGrid(area.grid(this.resolution), served ? MOST_SERVED : Infinity)
      return grids.map((grid) => ({ box: grids.length > 1 ? boxOfGrid(grid) : area.box, grid }))
    }
    const [columns, rows] = dimensionsOf(area.box, this.resolution)
    const count = Math.ceil(columns / 2200) * Math.ceil(rows / 2200)
    if (count > this.catalogue.most_tasks)
      throw new PlanError(
        'request.too_many_tasks',
        `${area.field}: ${columns} x ${rows} pixels are ${count} tiles, at most ${this.catalogue.most_tasks}: ask for a smaller place`,
      )
    return tilesOf(area.box, this.lattice(area, items))
  }

  private modalityItems(
    modality: Modality,
    day: Day,
    grid: Grid,
    items: readonly FrozenItem[],
  ): ModalityItems {
    const { row, bands } = modality
    const process = this.catalogue.process(row, { bands, grid, items })
    return {
      name: modality.tag,
      collection: modality.collection,
      date: row.search!.timeless ? null : day.date,
      items,
      reading: this.catalogue.reading(row),
      radiometry: row.radiometry.startsWith('sentinel2') ? 'harmonised' : row.radiometry,
      ...(process ? { process } : {}),
    }
  }

  /** One tile on one day; undefined where no item of some modality lies in the tile. */
  private task(area: Area, tile: Tile, days: readonly (Day | undefined)[]): FoundTask | undefined {
    const frame = (area.box[0] + eastOf(area.box)) / 2
    const shape: Geom = [outlineOf(tile.grid, frame, RIM)]
    const box = unionOf([boxShape(tile.box)]) as Geom
    const whole = squareDegrees(box as Shape)
    const parts: ModalityItems[] = []
    let coverage = 0
    for (const [n, modality] of this.modalities.entries()) {
      const day = days[n]
      const items = (day?.items ?? []).filter(({ footprint }) =>
        touches(footprintShape(footprint), shape),
      )
      if (!day || items.length === 0) return undefined
      if (items.length > MOST_ITEMS)
        throw new PlanError(
          'request.too_many_items',
          `${area.field}: ${items.length} items on ${day.date}, at most ${MOST_ITEMS}: ask for a smaller place`,
        )
      for (const item of items)
        for (const text of item.warnings) this.warnings.add(`${item.id}: ${text}`)
      if (n === 0) {
        const inside = items.map(({ footprint }) => overlapOf(footprintShape(footprint), box))
        coverage = Math.min(1, squareDegrees(unionOf(inside as Geom[])) / whole)
      }
      parts.push(this.modalityItems(modality, day, tile.grid, items))
    }
    const { width, height } = tile.grid
    if (width * height > MOST_PIXELS)
      throw new PlanError(
        'request.too_large',
        `${area.field}: ${width} x ${height} pixels, at most ${MOST_PIXELS} a task: ask for a smaller place or a coarser resolution`,
      )
    return {
      source: {
        kind: 'items',
        grid: tile.grid,
        bbox: tile.box,
        clip: area.clip,
        modalities: parts,
      },
      date: parts[0]!.date,
      cloud: days[0]!.cloud,
      coverage,
    }
  }

  async area(area: Area): Promise<{ tasks: FoundTask[]; missing: NoData[] }> {
    const bbox = area.box
    const [first] = this.modalities
    const none = async (reason: string, modality: Modality) => {
      const nearest = modality.row.search!.timeless ? [] : await this.nearest(modality, area)
      return { tasks: [], missing: [{ field: area.field, bbox, reason, nearest }] }
    }
    const { days, refused } = await this.primary(area)
    if (days.length === 0) return none(this.reason(first!, refused), first!)
    const partners = await this.partners(area, days)
    const lonely = partners.findIndex((list) => list.every((day) => !day))
    if (lonely >= 0) {
      const other = this.modalities[lonely + 1]!
      return none(
        `${other.collection}: no day within ${other.tolerance} of ${days.map(({ date }) => date).join(', ')}`,
        other,
      )
    }
    const all = [...days, ...partners.flat()].flatMap((day) => day?.items ?? [])
    const tiles = this.tiles(area, all)
    const most = this.catalogue.most_tasks
    if (tiles.length * days.length > most)
      throw new PlanError(
        'request.too_many_tasks',
        `${area.field}: ${tiles.length} tiles on ${days.length} days, at most ${most} tasks: ask for a smaller place or fewer days`,
      )
    const tasks: FoundTask[] = []
    const empty: Tile[] = []
    for (const tile of tiles) {
      const before = tasks.length
      for (const [n, day] of days.entries()) {
        const task = this.task(area, tile, [day, ...partners.map((list) => list[n])])
        if (task) tasks.push(task)
        await breathe()
      }
      if (tasks.length === before) empty.push(tile)
    }
    return {
      tasks,
      missing: empty.map((tile) => ({
        field: area.field,
        bbox: tile.box,
        reason: `no item of ${first!.collection} lies in this tile on ${days.map(({ date }) => date).join(', ')}`,
        nearest: [],
      })),
    }
  }
}
