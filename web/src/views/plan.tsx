import { bytesText, numberText, secondsText, timeText } from '../format.ts'
import type { Plan } from '../types.ts'
import { ErrorNote } from '../ui.tsx'

const said = (key: string, value: number): string => {
  if (/seconds/.test(key)) return secondsText(value)
  if (/bytes/.test(key)) return bytesText(value)
  return numberText(value, 2)
}
const textOf = (warning: unknown): string => {
  if (typeof warning === 'string') return warning
  const { message } = (warning ?? {}) as { message?: string }
  return message ?? JSON.stringify(warning)
}
const nameOf = (key: string): string => key.replaceAll('_', ' ')

/** What the run would do, by the planner that runs it. */
export const PlanNote = ({
  plan,
  error,
  busy,
  wanting,
}: {
  plan: Plan | undefined
  error: Error | undefined
  busy: boolean
  /** What the form lacks before it can be asked for */
  wanting: string | undefined
}) => {
  const { totals = {}, tasks = [], missing = [], warnings = [] } = plan ?? {}
  const days = [...new Set(tasks.map(({ date }) => date).filter(Boolean))].sort()
  const seen = plan?.earlier_runs?.steps.filter(({ seen_before }) => seen_before > 0) ?? []
  return (
    <section class="panel plan" aria-label="What would run" aria-busy={busy}>
      <h2>What would run</h2>
      {wanting && <p class="faint">{wanting}</p>}
      {!wanting && busy && !plan && <p class="faint">Planning…</p>}
      <ErrorNote error={error} />
      {!wanting && plan?.error && (
        <p class="note bad" role="alert">
          <code>{plan.error.code}</code> {plan.error.message}
        </p>
      )}
      {!wanting && plan && !plan.error && (
        <>
          <dl class="facts" aria-live="polite">
            {Object.entries(totals)
              .filter(([, value]) => typeof value === 'number')
              .map(([key, value]) => (
                <>
                  <dt key={`t${key}`}>{nameOf(key)}</dt>
                  <dd key={key} class="number">
                    {said(key, value as number)}
                  </dd>
                </>
              ))}
            {days.length > 0 && (
              <>
                <dt>days</dt>
                <dd>
                  {days.slice(0, 8).join(', ')}
                  {days.length > 8 && ` and ${days.length - 8} more`}
                </dd>
              </>
            )}
            {seen.map(({ process_id, seen_before, tasks, last_run_at }) => (
              <>
                <dt key={`s${process_id}`}>{process_id}</dt>
                <dd key={process_id}>
                  ran before in {seen_before} of {tasks} tasks, last {timeText(last_run_at!)}: the
                  engine may have it still
                </dd>
              </>
            ))}
          </dl>
          {missing.length > 0 && (
            <ul class="note warn">
              {missing.slice(0, 5).map(({ message }) => (
                <li key={message}>{message}</li>
              ))}
              {missing.length > 5 && <li>{missing.length - 5} more days or places without data</li>}
            </ul>
          )}
          {warnings.length > 0 && (
            <ul class="note warn">
              {warnings.slice(0, 5).map((warning) => (
                <li key={textOf(warning)}>{textOf(warning)}</li>
              ))}
            </ul>
          )}
        </>
      )}
    </section>
  )
}
