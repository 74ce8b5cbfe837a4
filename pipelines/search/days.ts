import type { Geom } from 'polyclip-ts'
import type { FrozenItem } from '../../connectors/item.ts'
import { footprintShape } from '../area/polygon.ts'
import { overlapOf, type Shape, squareDegrees, unionOf, without } from '../area/shapes.ts'
import { breathe } from '../breathe.ts'
import { solarDay } from './dates.ts'

/** One pass of one constellation over an area on one solar day. */
export interface Day {
  readonly date: string
  /** Constellation and orbit: passes are never mixed */
  readonly pass: string
  /** Most wanted first: the first valid pixel wins */
  readonly items: readonly FrozenItem[]
  /** Mean percent over the covered part of the area; null where no item says any */
  readonly cloud: number | null
  /** Share of the area that the footprints cover, 0 to 1 */
  readonly coverage: number
}
export interface DayLimits {
  /** Percent; 0 is no limit */
  readonly maxcc: number
  /** Share of the area, 0 to 1 */
  readonly min_coverage: number
}
export interface Refused {
  readonly day: Day
  readonly why: string
}
export type Period = 'day' | 'week' | 'month' | 'all'

interface Placed {
  readonly item: FrozenItem
  readonly overlap: Shape
  readonly share: number
}

const compare = (a: number, b: number): number => (a < b ? -1 : a > b ? 1 : 0)

/** Least cloudy first, then the larger share of the area, then the earlier, then by id. */
const byWish = (a: Placed, b: Placed): number =>
  compare(a.item.cloud_cover ?? 101, b.item.cloud_cover ?? 101) ||
  compare(b.share, a.share) ||
  compare(Date.parse(a.item.datetime), Date.parse(b.item.datetime)) ||
  (a.item.id < b.item.id ? -1 : 1)

const placed = (item: FrozenItem, area: Geom, whole: number): Placed => {
  const overlap = overlapOf(footprintShape(item.footprint), area)
  return { item, overlap, share: squareDegrees(overlap) / whole }
}

/** Mean cloud: each item counts by the part of the area that it alone adds, in their order. */
const cloudOf = (items: readonly Placed[]): number | null => {
  let seen: Shape = []
  let cloud = 0
  let known = 0
  for (const { item, overlap } of items) {
    const added = seen.length ? without(overlap as Geom, seen as Geom) : overlap
    const weight = squareDegrees(added)
    seen = unionOf([...(seen.length ? [seen as Geom] : []), overlap as Geom])
    if (item.cloud_cover === null) continue
    cloud += item.cloud_cover * weight
    known += weight
  }
  return known > 0 ? cloud / known : null
}

const dayOf = (date: string, pass: string, items: readonly Placed[], whole: number): Day => {
  const ordered = [...items].sort(byWish)
  const covered = unionOf(ordered.map(({ overlap }) => overlap as Geom))
  return {
    date,
    pass,
    items: ordered.map(({ item }) => item),
    cloud: cloudOf(ordered),
    coverage: squareDegrees(covered) / whole,
  }
}

/**
 * Items that touch an area, by solar day and pass, days ascending.
 *
 * A day keeps all of its items, so that a limit never cuts a part out of the area.
 *
 * @param longitude of the area's centre, which its solar days are counted by
 */
export const daysOf = async (
  items: readonly FrozenItem[],
  place: Geom,
  longitude: number,
): Promise<Day[]> => {
  const area = unionOf([place]) as Geom
  const whole = squareDegrees(area as Shape)
  const groups = new Map<string, Placed[]>()
  for (const item of items) {
    const at = placed(item, area, whole)
    await breathe()
    if (at.share <= 0) continue
    const key = JSON.stringify([
      solarDay(item.datetime, longitude),
      [item.platform, item.orbit].filter(Boolean).join(' '),
    ])
    groups.set(key, [...(groups.get(key) ?? []), at])
  }
  return [...groups.entries()]
    .map(([key, group]) => {
      const [date, pass] = JSON.parse(key) as [string, string]
      return dayOf(date, pass, group, whole)
    })
    .sort((a, b) => (a.date + a.pass < b.date + b.pass ? -1 : 1))
}

const percent = (value: number): string => `${Math.round(value)} %`

/** Why a day is left out; undefined where it is kept. Unknown cloud passes. */
const refusal = (day: Day, { maxcc, min_coverage }: DayLimits): string | undefined => {
  if (maxcc > 0 && day.cloud !== null && day.cloud > maxcc)
    return `${percent(day.cloud)} cloud, limit ${maxcc}`
  if (day.coverage < min_coverage)
    return `coverage ${day.coverage.toFixed(2)} < ${min_coverage.toFixed(2)}`
  return undefined
}

/** The days within the limits, and why the others are not. */
export const withinLimits = (
  days: readonly Day[],
  limits: DayLimits,
): { kept: Day[]; refused: Refused[] } => {
  const kept: Day[] = []
  const refused: Refused[] = []
  for (const day of days) {
    const why = refusal(day, limits)
    if (why) refused.push({ day, why })
    else kept.push(day)
  }
  return { kept, refused }
}

/** Monday of the day's week, its month, or nothing. */
const periodOf = (date: string, period: Period): string => {
  if (period === 'day') return date
  if (period === 'month') return date.slice(0, 7)
  if (period === 'all') return ''
  const time = Date.parse(`${date}T00:00:00Z`)
  const sinceMonday = (new Date(time).getUTCDay() + 6) % 7
  return new Date(time - sinceMonday * 86_400_000).toISOString().slice(0, 10)
}

const clearOf = (day: Day): number => day.coverage * (1 - (day.cloud ?? 0) / 100)

/** The best day of each period: by clear share, then coverage, then the earlier; all for `day`. */
export const bestOf = (days: readonly Day[], period: Period): Day[] => {
  if (period === 'day') return [...days]
  const best = new Map<string, Day>()
  for (const day of days) {
    const key = periodOf(day.date, period)
    const other = best.get(key)
    const wins =
      !other ||
      clearOf(day) > clearOf(other) ||
      (clearOf(day) === clearOf(other) && day.coverage > other.coverage)
    if (wins) best.set(key, day)
  }
  return [...best.values()]
}
