import { fileName } from '../format.ts'
import { Field } from '../ui.tsx'

export interface Period {
  readonly from: string
  readonly to: string
}

/** `YYYY-MM-DD`, or `first_last`, where `..` is all days before the last. */
export const periodText = ({ from, to }: Period): string => {
  if (!from && !to) return ''
  return from === to || (from && !to) ? from : `${from || '..'}_${to}`
}
export const periodOf = (text: string): Period => {
  const [from = '', to = from] = text.split(/[_/]/)
  return { from: from === '..' ? '' : from, to: to === '..' ? '' : to }
}

/** Days of scenes by their URL, as a person wrote them. */
export type SceneDays = Readonly<Record<string, string>>

/** The first day of the calendar in a file's name, such as 2024-06-10 or 20240610. */
const dayIn = (url: string): string => {
  const found = fileName(url).matchAll(/(?<!\d)(20\d\d|19\d\d)(-?)([01]\d)\2([0-3]\d)(?!\d)/g)
  const days = [...found].map(([, year, , month, day]) => `${year}-${month}-${day}`)
  const isDay = (day: string) => new Date(`${day}T00:00Z`).toJSON()?.startsWith(day) ?? false
  return days.find(isDay) ?? ''
}
/** A day for each; the first scene's may be chosen before its upload has an URL. */
export const daysOf = (urls: readonly string[], days: SceneDays): string[] =>
  urls.map((url, n) => days[url] ?? (n === 0 ? days[''] : undefined) ?? dayIn(url))

/** The day of each scene that is given. */
export const SceneDates = ({
  urls,
  days,
  onDays,
}: {
  urls: readonly string[]
  days: SceneDays
  onDays: (days: SceneDays) => void
}) => {
  const values = daysOf(urls.length ? urls : [''], days)
  const field = (label: string, n: number, hint?: string) => (
    <Field key={n} label={label} hint={hint}>
      {(ids) => (
        <input
          {...ids}
          type="date"
          value={values[n]}
          onInput={({ currentTarget: { value } }) => onDays({ ...days, [urls[n] ?? '']: value })}
        />
      )}
    </Field>
  )
  if (urls.length < 2) return field('Date of the scene', 0, 'It may stay empty.')
  return (
    <fieldset>
      <legend>Dates of the scenes</legend>
      <div class="days">{urls.map((url, n) => field(fileName(url), n))}</div>
      <p class="hint">All, or none.</p>
    </fieldset>
  )
}

/** The days to look for. */
export const DateFields = ({
  periods,
  onPeriods,
}: {
  periods: readonly Period[]
  onPeriods: (periods: readonly Period[]) => void
}) => {
  const shown = periods.length ? periods : [{ from: '', to: '' }]
  const set = (n: number, next: Partial<Period>) =>
    onPeriods(shown.map((old, m) => (m === n ? { ...old, ...next } : old)))
  return (
    <fieldset>
      <legend>Dates</legend>
      {shown.map((period, n) => (
        <div class="row" key={n}>
          <Field label="From">
            {(ids) => (
              <input
                {...ids}
                type="date"
                value={period.from}
                onInput={(event) => set(n, { from: event.currentTarget.value })}
              />
            )}
          </Field>
          <Field label="To">
            {(ids) => (
              <input
                {...ids}
                type="date"
                value={period.to}
                min={period.from}
                onInput={(event) => set(n, { to: event.currentTarget.value })}
              />
            )}
          </Field>
          {shown.length > 1 && (
            <button
              type="button"
              class="small"
              aria-label={`Remove period ${n + 1}`}
              onClick={() => onPeriods(shown.filter((_, m) => m !== n))}
            >
              Remove
            </button>
          )}
        </div>
      ))}
      <button
        type="button"
        class="small"
        onClick={() => onPeriods([...shown, { from: '', to: '' }])}
      >
        Another period
      </button>
    </fieldset>
  )
}
