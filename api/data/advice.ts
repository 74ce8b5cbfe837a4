import { z } from 'zod'
import type { Connector } from '../../connectors/connector.ts'
import { type Box, inFrame, polygonsOf, unwrapped } from '../../connectors/geometry.ts'
import type { FrozenItem } from '../../connectors/item.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
/** Of boxes times dates: each is up to four searches. */
const MOST_SEARCHES = 50
const SEARCH_SECONDS = 20
const ALL_MS = 60_000

const isDay = (text: string): boolean =>
  text.split('_').every((part) => !Number.isNaN(Date.parse(part)))

/** The box around a polygon, GeoJSON (also as text) or WKT; undefined where there is none. */
export const envelopeOf = (polygon: unknown): number[] | undefined => {
  const text = typeof polygon === 'string' ? polygon : JSON.stringify(polygon)
  const pairs = [...text.matchAll(/(-?\d+(?:\.\d+)?)[\s,]+(-?\d+(?:\.\d+)?)/g)]
  const points = pairs.map(([, x, y]) => [Number(x), Number(y)] as const)
  if (points.length < 3) return undefined
  const [lons, lats] = [points.map(([x]) => x), points.map(([, y]) => y)]
  const least = (all: number[]) => all.reduce((a, b) => Math.min(a, b))
  const most = (all: number[]) => all.reduce((a, b) => Math.max(a, b))
  return [least(lons), least(lats), most(lons), most(lats)]
}

const adviceFields = z.looseObject({
  collections: z.array(z.string()).min(1),
  dates: z.array(
    z
      .string()
      .regex(/^\d{4}-\d{2}-\d{2}(_\d{4}-\d{2}-\d{2})?$/, 'YYYY-MM-DD or YYYY-MM-DD_YYYY-MM-DD')
      .refine(isDay, 'YYYY-MM-DD or YYYY-MM-DD_YYYY-MM-DD: no such day'),
  ),
  bbox: z.array(z.tuple([z.number(), z.number(), z.number(), z.number()])).nullish(),
  area_polygon: z.unknown().optional(),
  maxcc: z.number().min(0).max(100).nullish(),
  pre_days: z.number().int().min(0).max(60).nullish(),
  post_days: z.number().int().min(0).max(60).nullish(),
})
export const adviceInput = adviceFields
  .refine(({ bbox, dates }) => (bbox?.length ?? 1) * dates.length <= MOST_SEARCHES, {
    message: `at most ${MOST_SEARCHES} searches in one request: fewer boxes or dates`,
  })
  .refine(({ bbox, area_polygon }) => bbox?.length || !area_polygon || envelopeOf(area_polygon), {
    message: 'area_polygon must be GeoJSON or WKT of a polygon',
    path: ['area_polygon'],
  })
export type AdviceInput = z.output<typeof adviceInput>

/** A scene with its solar day at the box's centre and its overlap with the box. */
interface Scene {
  readonly item: FrozenItem
  readonly day: number
  readonly overlap: number
}
/** First and last day, ms of their UTC midnights */
type Days = readonly [first: number, last: number]

const dayText = (time: number): string => new Date(time).toISOString().slice(0, 10)

/** UTC midnight splits one pass at 140 to 180 degrees east: days are solar, as the planner's. */
const solarDay = (datetime: string, longitude: number): number =>
  Math.floor((Date.parse(datetime) + Math.trunc(longitude / 15) * HOUR) / DAY) * DAY

const scenesOf = async (
  connector: Connector,
  bbox: Box,
  [first, last]: Days,
  signal: AbortSignal,
): Promise<Scene[]> => {
  const [west, , east] = unwrapped(bbox)
  const middle = (west + east) / 2
  const { items } = await connector.search({
    ...{ bbox, bands: [], signal, limits: { seconds: SEARCH_SECONDS } },
    interval: {
      start: new Date(first - DAY / 2).toISOString(),
      end: new Date(last + 1.5 * DAY - 1).toISOString(),
    },
  })
  return items
    .map((item) => ({
      ...{ item, day: solarDay(item.datetime, middle > 180 ? middle - 360 : middle) },
      overlap: inFrame(polygonsOf(item.footprint) ?? [], bbox)[1],
    }))
    .filter(({ day }) => day >= first && day <= last)
}

/** Days whose mean cloud, weighted by share of the box, is within the limit; unknown cover passes. */
const clearDays = (scenes: readonly Scene[], maxcc: number): number[] => {
  const days = [...new Set(scenes.map(({ day }) => day))].sort((a, b) => a - b)
  if (maxcc === 0) return days
  return days.filter((day) => {
    const known = scenes.filter((one) => one.day === day && one.item.cloud_cover !== null)
    const weight = known.reduce((sum, { overlap }) => sum + overlap, 0)
    const cloud = known.reduce((sum, one) => sum + one.item.cloud_cover! * one.overlap, 0)
    return weight === 0 || cloud / weight <= maxcc
  })
}

interface Wish {
  readonly maxcc: number
  /** How far another collection's day may be from the first one's */
  readonly before: number
  readonly after: number
}
interface Asked {
  readonly connectors: readonly Connector[]
  readonly bbox: Box
  readonly wish: Wish
  readonly signal: AbortSignal
}

/** Days of the first collection that every other one has a day near, with the scenes of all of them. */
const commonDays = async ({ connectors, bbox, wish, signal }: Asked, days: Days) => {
  const { maxcc, before, after } = wish
  const [first = [], ...others] = await Promise.all(
    connectors.map((one) => scenesOf(one, bbox, days, signal)),
  )
  const near = (day: number) => (other: number) =>
    other >= day - before * DAY && other <= day + after * DAY
  const clear = others.map((scenes) => clearDays(scenes, maxcc))
  const kept = clearDays(first, maxcc).filter((day) => clear.every((all) => all.some(near(day))))
  const scenes = [
    ...first.filter(({ day }) => kept.includes(day)),
    ...others.flatMap((all, n) =>
      all.filter(({ day }) => clear[n]!.includes(day) && kept.some((own) => near(own)(day))),
    ),
  ]
  return { kept, scenes }
}

/** How many days to the nearest scenes before and after, in words that clients show. */
const nearest = async (asked: Asked, [first, last]: Days): Promise<[string, string]> => {
  const gaps: number[] = []
  for (const days of [7, 14, 28]) {
    const { kept } = await commonDays(asked, [first - days * DAY, last + days * DAY])
    gaps.push(...kept.map((day) => Math.round((day - first) / DAY)))
    if (gaps.length) break
  }
  const before = Math.min(...gaps.filter((gap) => gap < 0).map(Math.abs))
  const after = Math.min(...gaps.filter((gap) => gap >= 0))
  const told = (gap: number) => (Number.isFinite(gap) ? String(gap) : 'none within 28')
  return [told(before), told(after)]
}

/** For each box and date: the days that have scenes, or how far away the next are. */
export const advise = async (
  connectors: readonly Connector[],
  input: AdviceInput,
): Promise<unknown[]> => {
  const results: unknown[] = []
  const signal = AbortSignal.timeout(ALL_MS)
  const { pre_days, post_days, maxcc, collections } = input
  const wish = { maxcc: maxcc ?? 100, before: pre_days ?? 1, after: post_days ?? 1 }
  const around = envelopeOf(input.area_polygon ?? '')
  for (const box of input.bbox?.length ? input.bbox : around ? [around] : [])
    for (const date of input.dates) {
      const bbox = box as unknown as Box
      const asked = { connectors, bbox, wish, signal }
      const [first, last = first] = date.split('_').map((text) => Date.parse(text)) as [number]
      const wide: Days = [first - wish.before * DAY, last + wish.after * DAY]
      const { kept, scenes } = await commonDays(asked, wide)
      if (kept.length) {
        const available_data = scenes.map(({ item: { id, datetime, cloud_cover } }) => ({
          id,
          properties: { datetime, 'eo:cloud_cover': cloud_cover },
        }))
        results.push({ bbox, unique_dates: kept.map(dayText), available_data })
        continue
      }
      const [before, after] = await nearest(asked, [first, last])
      results.push({
        bbox,
        unique_dates: [],
        message: `The modalities ${collections.join(', ')} do not have any data for the selected dates. Try the Bef_Days: ${before} or Aft_Days: ${after}`,
      })
    }
  return results
}
