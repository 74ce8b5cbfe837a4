import { useEffect, useState } from 'preact/hooks'
import { get, query } from '../api.ts'
import { count, fileName, timeText } from '../format.ts'
import { skipOf, useAddress, useLoad, useSettled } from '../hooks.ts'
import { hasEnded, type Inference, type Model, type Page } from '../types.ts'
import { Await, Heading, Pager, Status } from '../ui.tsx'

const SIZE = 25
/** Between two looks at a list that holds runs under way, ms. */
const FRESH_MS = 10_000
const STATUSES = ['PENDING', 'RUNNING', 'COMPLETED', 'COMPLETED_WITH_ERRORS', 'FAILED', 'STOPPED']

/** What was asked for, in a line. */
export const placeText = ({ spatial_domain: domain, location }: Inference): string => {
  if (location) return location
  const { urls, tiles, bbox, polygons } = domain
  const left = (name: string) => domain.omitted?.[name] ?? 0
  if (urls.length)
    return urls.length + left('urls') > 1
      ? count(urls.length + left('urls'), 'scene')
      : fileName(urls[0])
  if (tiles.length) return tiles.slice(0, 3).map(String).join(', ')
  if (bbox.length) return bbox[0]!.map((degrees) => degrees.toFixed(2)).join(', ')
  return count(polygons.length + left('polygons'), 'polygon')
}
/** The first days and periods that were asked for, and how many more there are. */
export const Times = ({ run: { temporal_domain: times } }: { run: Inference }) => (
  <span class="dates">
    {times.slice(0, 2).map((time, n) =>
      time.split('_').map((day, m) => (
        <>
          {m > 0 ? ' – ' : n > 0 ? ', ' : ''}
          <span key={`${n} ${m}`}>{day}</span>
        </>
      )),
    )}
    {times.length > 2 && ` +${times.length - 2}`}
  </span>
)

/** Steps of all tasks that have ended, as a share. */
export const Progress = ({ run }: { run: Inference }) => {
  const ended = run.tasks_count_success + run.tasks_count_failed + run.tasks_count_stopped
  const text = run.tasks_count_total ? `${ended} of ${run.tasks_count_total} steps` : '–'
  return (
    <span class="progress">
      <progress max={run.tasks_count_total || 1} value={ended} aria-label={text} />
      <span class="faint">{text}</span>
    </span>
  )
}

const Row = ({ run }: { run: Inference }) => (
  <tr>
    <td>
      <Status status={run.status} />
    </td>
    <th scope="row">
      <a href={`#/runs/${run.id}`}>{placeText(run)}</a>
      {run.description && <span class="faint more"> {run.description}</span>}
    </th>
    <td>{run.model_display_name}</td>
    <td class="wide">
      <Times run={run} />
    </td>
    <td class="wide">
      <Progress run={run} />
    </td>
    <td class="wide number">{timeText(run.created_at)}</td>
  </tr>
)

/** Inferences, newest first; the server filters and pages. */
export const Runs = ({ search }: { search: string }) => {
  const given = new URLSearchParams(search)
  const [text, setText] = useState(given.get('q') ?? '')
  const [status, setStatus] = useState(given.get('status') ?? '')
  const [model, setModel] = useState(given.get('model_id') ?? '')
  const [skip, setSkip] = useState(skipOf(search))
  const q = useSettled(text.trim(), 250)
  const models = useLoad((signal) => get<Page<Model>>('v2/models?limit=1000', signal), [])
  const asked = { q, status, model_id: model }
  const filter = query({ ...asked, limit: SIZE, skip })
  useAddress('runs', query({ ...asked, skip: skip || undefined }))
  const runs = useLoad((signal) => get<Page<Inference>>(`v2/inference?${filter}`, signal), [filter])
  const live = runs.value?.results.some((run) => !hasEnded(run.status)) ?? false
  useEffect(() => {
    if (!live) return
    const timer = setInterval(() => document.hidden || runs.again(), FRESH_MS)
    return () => clearInterval(timer)
  }, [live])
  const first = <T,>(set: (value: T) => void) => {
    return (value: T) => {
      setSkip(0)
      set(value)
    }
  }
  return (
    <>
      <Heading text="Runs">
        <a class="button primary" href="#/new">
          New run
        </a>
      </Heading>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <input
          type="search"
          aria-label="Place or description"
          placeholder="Place or description"
          value={text}
          onInput={(event) => first(setText)(event.currentTarget.value)}
        />
        <select
          aria-label="Model"
          value={model}
          onChange={(event) => first(setModel)(event.currentTarget.value)}
        >
          <option value="">Every model</option>
          {models.value?.results.map(({ id, display_name, version }) => (
            <option key={id} value={id}>
              {display_name} v{version}
            </option>
          ))}
        </select>
        <select
          aria-label="Status"
          value={status}
          onChange={(event) => first(setStatus)(event.currentTarget.value)}
        >
          <option value="">Every status</option>
          {STATUSES.map((one) => (
            <option key={one} value={one}>
              {one.toLowerCase().replaceAll('_', ' ')}
            </option>
          ))}
        </select>
        <button type="button" onClick={runs.again}>
          Refresh
        </button>
      </form>
      <Await of={runs}>
        {({ results, total_records }) =>
          results.length ? (
            <>
              <table class="list">
                <thead>
                  <tr>
                    <th scope="col">Status</th>
                    <th scope="col">Place</th>
                    <th scope="col">Model</th>
                    <th scope="col" class="wide">
                      Dates
                    </th>
                    <th scope="col" class="wide">
                      Progress
                    </th>
                    <th scope="col" class="wide">
                      Started
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {results.map((run) => (
                    <Row key={run.id} run={run} />
                  ))}
                </tbody>
              </table>
              <Pager skip={skip} size={SIZE} total={total_records} onSkip={setSkip} />
            </>
          ) : (
            <p class="empty">
              {filter === query({ limit: SIZE, skip: 0 })
                ? 'No run yet: start one with New run.'
                : 'No run fits these filters.'}
            </p>
          )
        }
      </Await>
    </>
  )
}
