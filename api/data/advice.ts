import { z } from 'zod'

export const STAC_URL = 'https://earth-search.aws.element84.com/v1/search'
const DAY = 86_400_000
/** Of boxes times dates: each is up to four searches. */
const MOST_SEARCHES = 50
const SEARCH_MS = 20_000
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

const item = z.looseObject({
  id: z.string(),
  properties: z.looseObject({ datetime: z.string(), 'eo:cloud_cover': z.number().optional() }),
})
type Item = z.output<typeof item>

const day = (time: number): string => new Date(time).toISOString().slice(0, 10)

/** Scenes of a collection in a box and a time below a cloud cover. @see contract.md 4.2 */
const search = async (
  url: string,
  collections: string[],
  bbox: number[],
  [from, to]: [number, number],
  maxcc: number,
  abort: AbortSignal,
): Promise<Item[]> => {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      collections,
      bbox,
      datetime: `${day(from)}T00:00:00Z/${day(to)}T23:59:59Z`,
      limit: 200,
    }),
    signal: AbortSignal.any([abort, AbortSignal.timeout(SEARCH_MS)]),
  })
  if (!answer.ok) throw new Error(`the catalogue answers ${answer.status}`)
  const { features } = z.object({ features: z.array(item) }).parse(await answer.json())
  return features.filter(
    ({ properties }) => maxcc === 0 || (properties['eo:cloud_cover'] ?? 0) < maxcc,
  )
}

/** For each box and date: the days that have scenes, or how far away the next are. */
export const advise = async (url: string, input: AdviceInput): Promise<unknown[]> => {
  const { collections, maxcc } = input
  const results: unknown[] = []
  const abort = AbortSignal.timeout(ALL_MS)
  const around = envelopeOf(input.area_polygon ?? '')
  for (const bbox of input.bbox?.length ? input.bbox : around ? [around] : [])
    for (const date of input.dates) {
      const [first, last = first] = date.split('_').map((text) => Date.parse(text!))
      const near = (before: number, after: number) =>
        search(
          url,
          collections,
          bbox,
          [first! - before * DAY, last! + after * DAY],
          maxcc ?? 100,
          abort,
        )
      const found = await near(input.pre_days ?? 1, input.post_days ?? 1)
      if (found.length) {
        const unique_dates = [
          ...new Set(found.map((one) => one.properties.datetime.slice(0, 10))),
        ].sort()
        const available_data = found.map(({ id, properties }) => ({
          id,
          properties: {
            datetime: properties.datetime,
            'eo:cloud_cover': properties['eo:cloud_cover'] ?? null,
          },
        }))
        results.push({ bbox, unique_dates, available_data })
        continue
      }
      const gaps: number[] = []
      for (const days of [7, 14, 28]) {
        const scenes = await near(days, days)
        gaps.push(
          ...scenes.map((one) => Math.round((Date.parse(one.properties.datetime) - first!) / DAY)),
        )
        if (gaps.length) break
      }
      const before = Math.min(...gaps.filter((gap) => gap < 0).map(Math.abs))
      const after = Math.min(...gaps.filter((gap) => gap >= 0))
      const told = (gap: number) => (Number.isFinite(gap) ? gap : 'none within 28')
      results.push({
        bbox,
        unique_dates: [],
        message: `The modalities ${collections.join(', ')} do not have any data for the selected dates. Try the Bef_Days: ${told(before)} or Aft_Days: ${told(after)}`,
      })
    }
  return results
}
