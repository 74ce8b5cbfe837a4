import { Field } from '../ui.tsx'

export interface Period {
  readonly from: string
  readonly to: string
}

/** `YYYY-MM-DD`, or `first_last`; an open end is left out. */
export const periodText = ({ from, to }: Period): string => {
  if (!from && !to) return ''
  return from === to || (from && !to) ? from : `${from}_${to}`
}
export const periodOf = (text: string): Period => {
  const [from = '', to = from] = text.split(/[_/]/)
  return { from: from === '..' ? '' : from, to: to === '..' ? '' : to }
}

/** The days to look for; of a scene that is given, its day. */
export const DateFields = ({
  periods,
  scenes,
  onPeriods,
}: {
  periods: readonly Period[]
  scenes: boolean
  onPeriods: (periods: readonly Period[]) => void
}) => {
  const shown = periods.length ? periods : [{ from: '', to: '' }]
  const set = (n: number, next: Partial<Period>) =>
    onPeriods(shown.map((old, m) => (m === n ? { ...old, ...next } : old)))
  if (scenes)
    return (
      <Field label="Date of the scene" hint="Leave it empty where the file's name holds it.">
        {(ids) => (
          <input
            {...ids}
            type="date"
            value={shown[0]!.from}
            onInput={({ currentTarget: { value } }) => set(0, { from: value, to: value })}
          />
        )}
      </Field>
    )
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
