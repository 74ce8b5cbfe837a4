import { z } from 'zod'
import type { Connector } from '../../connectors/connector.ts'
import type { Box } from '../../connectors/geometry.ts'
import { boxOf, centreOf } from '../../pipelines/area/crs.ts'
import { parsePolygons } from '../../pipelines/area/polygon.ts'
import { boxShape } from '../../pipelines/area/shapes.ts'
import { isBox } from '../../pipelines/request.ts'
import {
  addDays,
  type DayRange,
  daysBetween,
  intervalOf,
  periodProblem,
} from '../../pipelines/search/dates.ts'
import { type Day, daysOf, withinLimits } from '../../pipelines/search/days.ts'
import { BOX_RULE } from '../inference/schema.ts'
import type { advice } from './answers.ts'

/** Of boxes times dates: each is up to four searches. */
const MOST_SEARCHES = 50
const SEARCH_SECONDS = 20
const ALL_MS = 60_000

/** Positions of a polygon as GeoJSON (an object or its text) or WKT; undefined where it is neither. */
const positionsOf = (polygon: unknown): (readonly [number, number])[] | undefined => {
  if (typeof polygon === 'string' && /^\s*(SRID=4326;)?\s*(MULTI)?POLYGON\b/i.test(polygon))
    // Between brackets and commas: two numbers, and after them a height or a measure.
    return [...polygon.matchAll(/[^(),]+/g)].flatMap(([text]) => {
      const [x, y] = text.trim().split(/\s+/).map(Number)
      return Number.isFinite(x) && Number.isFinite(y) ? [[x!, y!] as const] : []
    })
  try {
    const shape = typeof polygon === 'string' ? JSON.parse(polygon) : polygon
    const shapes = shape?.type === 'FeatureCollection' ? (shape.features as unknown[]) : [shape]
    return shapes.flatMap((one) => parsePolygons(one, 'area_polygon').flat(2))
  } catch {
    return undefined
  }
}

/** The box around a polygon, GeoJSON (also as text) or WKT; undefined where there is none. */
export const envelopeOf = (polygon: unknown): Box | undefined => {
  const points = positionsOf(polygon) ?? []
  const inside = points.every(([x, y]) => Math.abs(x) <= 180 && Math.abs(y) <= 90)
  if (points.length < 3 || !inside) return undefined
  const least = (all: number[]) => all.reduce((a, b) => Math.min(a, b))
  const most = (all: number[]) => all.reduce((a, b) => Math.max(a, b))
  const [given, lats] = [points.map(([x]) => x), points.map(([, y]) => y)]
  // Wider than half the globe it lies on both sides of 180 degrees.
  const crosses = most(given) - least(given) > 180
  const lons = crosses ? given.map((lon) => (lon < 0 ? lon + 360 : lon)) : given
  const box = boxOf(least(lons), least(lats), most(lons), most(lats))
  return isBox(box) ? box : undefined
}

const adviceFields = z.looseObject({
  collections: z.array(z.string()).min(1),
  dates: z.array(
    z
      .string()
      .regex(/^\d{4}-\d{2}-\d{2}(_\d{4}-\d{2}-\d{2})?$/, 'YYYY-MM-DD or YYYY-MM-DD_YYYY-MM-DD')
      .refine((text) => !periodProblem(text), {
        error: ({ input }) => `${String(input)}: ${periodProblem(String(input))}`,
      }),
  ),
  bbox: z
    .array(
      z
        .tuple([z.number(), z.number(), z.number(), z.number()])
        .refine(isBox, { message: BOX_RULE }),
    )
    .nullish(),
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
type Advice = z.input<typeof advice>
export type AdviceInput = z.output<typeof adviceInput>

const daysIn = async (
  connector: Connector,
  { bbox, wish, signal }: Pick<Asked, 'bbox' | 'wish' | 'signal'>,
  range: DayRange,
): Promise<Day[]> => {
  const { items } = await connector.search({
    ...{ bbox, bands: [], signal, limits: { seconds: SEARCH_SECONDS } },
    interval: intervalOf(range),
  })
  // The planner's own rule: what is offered here is what a plan keeps.
  const days = await daysOf(items, boxShape(bbox), centreOf(bbox)[0])
  const { kept } = withinLimits(days, { maxcc: wish.maxcc, min_coverage: 0 })
  return kept.filter(({ date }) => date >= range.first && date <= range.last)
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

const datesOf = (days: readonly Day[]): string[] => [...new Set(days.map(({ date }) => date))]

/** Days of the first collection that every other one has a day near, with the scenes of all of them. */
const commonDays = async (asked: Asked, range: DayRange) => {
  const { before, after } = asked.wish
  const all = await Promise.all(asked.connectors.map((one) => daysIn(one, asked, range)))
  const [first = [], ...others] = all
  const near = (date: string, other: string): boolean =>
    other >= addDays(date, -before) && other <= addDays(date, after)
  const kept = datesOf(first).filter((date) =>
    others.every((days) => days.some((other) => near(date, other.date))),
  )
  const scenes = [
    ...first.filter(({ date }) => kept.includes(date)),
    ...others.flat().filter((other) => kept.some((date) => near(date, other.date))),
  ].flatMap(({ items }) => items)
  return { kept, scenes }
}

/** How many days to the nearest scenes before and after, in words that clients show. */
const nearest = async (asked: Asked, { first, last }: DayRange): Promise<[string, string]> => {
  const gaps: number[] = []
  for (const days of [7, 14, 28]) {
    const wide = { first: addDays(first, -days), last: addDays(last, days) }
    const { kept } = await commonDays(asked, wide)
    gaps.push(...kept.map((date) => daysBetween(first, date)))
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
): Promise<Advice[]> => {
  const results: Advice[] = []
  const signal = AbortSignal.timeout(ALL_MS)
  const { pre_days, post_days, maxcc, collections } = input
  const wish = { maxcc: maxcc ?? 100, before: pre_days ?? 1, after: post_days ?? 1 }
  const around = envelopeOf(input.area_polygon ?? '')
  for (const box of input.bbox?.length ? input.bbox : around ? [around] : [])
    for (const date of input.dates) {
      const bbox = box as unknown as Box
      const asked = { connectors, bbox, wish, signal }
      const [first, last = first] = date.split('_') as [string]
      const wide = { first: addDays(first, -wish.before), last: addDays(last, wish.after) }
      const { kept, scenes } = await commonDays(asked, wide)
      if (kept.length) {
        const available_data = scenes.map(({ id, datetime, cloud_cover }) => ({
          id,
          properties: { datetime, 'eo:cloud_cover': cloud_cover },
        }))
        results.push({ bbox: [...bbox], unique_dates: kept, available_data })
        continue
      }
      const [before, after] = await nearest(asked, { first, last })
      results.push({
        bbox: [...bbox],
        unique_dates: [],
        message: `The modalities ${collections.join(', ')} do not have any data for the selected dates. Try the Bef_Days: ${before} or Aft_Days: ${after}`,
      })
    }
  return results
}
