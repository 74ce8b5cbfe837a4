import { PlanError } from '../errors.ts'

const DAY = /^\d{4}-\d{2}-\d{2}$/
const MS_DAY = 86_400_000

/** First and last day, both included, YYYY-MM-DD. */
export interface DayRange {
  readonly first: string
  readonly last: string
}

/** Before the first Earth-observation catalogue: where an open beginning starts. */
const OLDEST = '1972-01-01'

/** Whether the calendar has the day: of 2024-02-30 JavaScript makes the first of March. */
export const isDay = (text: string): boolean => {
  if (!DAY.test(text)) return false
  const date = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text)
}

/** Years that can be searched: of others neither a server nor a calendar of days makes sense. */
export const hasImages = (day: string): boolean => day >= '1900' && day < '2200'

/** The day `count` days later. */
export const addDays = (day: string, count: number): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) + count * MS_DAY).toISOString().slice(0, 10)

export const daysBetween = (a: string, b: string): number =>
  Math.round((Date.parse(b) - Date.parse(a)) / MS_DAY)

const isOpen = (end: string): boolean => end === '' || end === '..'

/** The ends of a period as given: one day, or two with `_` or `/` between them. */
const endsOf = (text: string): string[] =>
  text
    .trim()
    .split(/[_/]/)
    .map((end) => end.trim())

const dayProblem = (end: string): string | undefined => {
  if (isDay(end)) return hasImages(end) ? undefined : `no catalogue has the year ${end.slice(0, 4)}`
  if (DAY.test(end)) return `${end} is no day of the calendar`
  const day = end.slice(0, 10)
  return isDay(day) && /^[Tt ]/.test(end.slice(10))
    ? `a day has no time of day: write ${day}`
    : 'write YYYY-MM-DD, or YYYY-MM-DD_YYYY-MM-DD for a period'
}

/**
 * What is wrong with an entry of a temporal domain, and the cure: `YYYY-MM-DD`, or `first_last`,
 * where `..` or nothing leaves an end open; undefined where it is right.
 */
export const periodProblem = (text: string): string | undefined => {
  const ends = endsOf(text)
  if (ends.length > 2) return 'a period is one day, or two with _ between them'
  const given = ends.filter((end) => ends.length === 1 || !isOpen(end))
  const problem = given.length ? given.map(dayProblem).find(Boolean) : 'a period needs a day'
  if (problem || given.length < 2 || given[0]! <= given[1]!) return problem
  return `the period ends before it begins: write ${given[1]}_${given[0]}`
}

const wrong = (text: string, why: string): PlanError =>
  new PlanError(
    'request.temporal_domain',
    `temporal_domain: ${JSON.stringify(text.slice(0, 50))} ${why}: write YYYY-MM-DD, or first_last, where .. leaves an end open`,
  )

const dayOf = (text: string, whole: string): string => {
  if (isDay(text)) {
    if (hasImages(text)) return text
    throw wrong(whole, `has the year ${text.slice(0, 4)}, which no catalogue has`)
  }
  if (isDay(text.slice(0, 10))) throw wrong(whole, 'has a time of day, and days are searched')
  throw wrong(whole, `has ${text.slice(0, 20) || 'nothing'}, which is no day`)
}

/**
 * One entry of a temporal domain: a day, or `first_last`, both ends included; `..` or nothing leaves
 * an end open.
 *
 * @param today YYYY-MM-DD, where an open end stops
 * @throws PlanError `request.temporal_domain`
 */
export const rangeOf = (text: string, today: string): DayRange => {
  const parts = endsOf(text)
  if (parts.length > 2) throw wrong(text, 'has more than two ends')
  const [from, to = from] = parts as [string, string?]
  if (parts.length === 1 && isOpen(from)) throw wrong(text, 'is no day')
  if (isOpen(from) && isOpen(to)) throw wrong(text, 'has no end')
  const first = isOpen(from) ? OLDEST : dayOf(from, text)
  const last = isOpen(to) ? today : dayOf(to, text)
  if (last < first) throw wrong(text, `ends before it begins`)
  return { first, last }
}

const MOST_RANGES = 400

/**
 * The ranges of a temporal domain as given, without those that lie inside another.
 *
 * @throws PlanError `request.temporal_domain` for too many: each is a search of its own
 */
export const rangesOf = (domain: readonly string[], today: string): DayRange[] => {
  const ranges = domain.map((text) => rangeOf(text, today))
  const byFirst = [...ranges].sort((a, b) =>
    a.first !== b.first ? (a.first < b.first ? -1 : 1) : a.last > b.last ? -1 : 1,
  )
  const kept = new Set<DayRange>()
  let end = ''
  for (const range of byFirst) {
    if (range.last <= end) continue
    end = range.last
    kept.add(range)
  }
  if (kept.size > MOST_RANGES)
    throw new PlanError(
      'request.temporal_domain',
      `temporal_domain: ${kept.size} days and periods, a place is searched for at most ${MOST_RANGES}: write neighbouring days as one period first_last`,
    )
  return ranges.filter((range) => kept.has(range))
}

/** What is asked of a catalogue: half a day wider at both ends, for days are solar. UTC, ISO 8601. */
export const intervalOf = ({ first, last }: DayRange): { start: string; end: string } => ({
  start: new Date(Date.parse(`${first}T00:00:00Z`) - MS_DAY / 2).toISOString(),
  end: new Date(Date.parse(`${last}T00:00:00Z`) + 1.5 * MS_DAY - 1).toISOString(),
})

/**
 * The solar day of a moment at a longitude: UTC shifted by one hour for 15 degrees.
 *
 * UTC midnight splits one pass of a satellite at 140 to 180 degrees east.
 */
export const solarDay = (datetime: string, longitude: number): string =>
  new Date(Date.parse(datetime) + Math.trunc(longitude / 15) * 3_600_000).toISOString().slice(0, 10)
