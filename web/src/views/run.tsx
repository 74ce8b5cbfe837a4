import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { type ApiError, awayNow, call, get, listen, mayPass, pause } from '../api.ts'
import { numberText, timeText } from '../format.ts'
import { go, useChunk } from '../hooks.ts'
import { type About, hasEnded, type Inference, type Model, type Task } from '../types.ts'
import { Act, ErrorNote, Failure, Heading, isMissing, Status } from '../ui.tsx'
import { Downloads } from './downloads.tsx'
import { Share } from './groups.tsx'
import { placeText, Progress, Times } from './runs.tsx'
import { Tasks } from './tasks.tsx'

/** Between two looks at the tasks while events come: many events make one. */
const PAUSE_MS = 700
/** Between two tries to reach a server that is away, ms: doubled up to the second. */
const AWAY_MS = [1000, 30_000] as const

/** A run and its tasks, kept up to date by its events. */
const useRun = (id: string) => {
  const [run, setRun] = useState<Inference>()
  const [tasks, setTasks] = useState<readonly Task[]>([])
  const [error, setError] = useState<Error>()
  const look = useRef<() => void>(() => undefined)
  useEffect(() => {
    const abort = new AbortController()
    const { signal } = abort
    const at = `v2/inference/${encodeURIComponent(id)}`
    let timer: ReturnType<typeof setTimeout> | undefined
    let [asked, shown] = [0, 0]
    const read = async () => {
      const turn = ++asked
      const [found, listed] = await Promise.all([
        get<Inference>(at, signal),
        get<{ tasks: readonly Task[] }>(`${at}/tasks`, signal),
      ])
      // An older answer that comes late says nothing any more.
      if (turn > shown) {
        shown = turn
        setRun(found)
        setTasks([...listed.tasks].reverse())
        setError(undefined)
      }
      return found
    }
    const failed = (reason: Error) => void (signal.aborted || setError(reason))
    look.current = () => {
      timer ??= setTimeout(() => {
        timer = undefined
        read().catch(failed)
      }, PAUSE_MS)
    }
    const follow = async () => {
      let last = '0'
      for (let wait: number = AWAY_MS[0]; !signal.aborted;) {
        try {
          if (hasEnded((await read()).status)) return
          let told = false
          const heard = (_: unknown, seq: string) => {
            last = seq || last
            wait = AWAY_MS[0]
            told = true
            look.current()
          }
          await listen(id, last, heard, signal)
          // A server that is stopped ends the stream too: then the run has not ended.
          if (told) continue
        } catch (reason) {
          if (!mayPass(reason)) throw reason
          failed((reason as ApiError).status ? (reason as Error) : awayNow())
        }
        await pause(wait, signal)
        wait = Math.min(wait * 2, AWAY_MS[1])
      }
    }
    let over = false
    follow()
      .catch(failed)
      .finally(() => (over = true))
    const away = () => over || failed(awayNow())
    addEventListener('offline', away)
    return () => {
      removeEventListener('offline', away)
      clearTimeout(timer)
      abort.abort()
    }
  }, [id])
  return { run, tasks, error, look: () => look.current() }
}

const Errors = ({ run }: { run: Inference }) => {
  const { errors = [], errors_omitted = 0 } = run.inference_output ?? {}
  const seen = new Map(errors.map((error) => [`${error.code} ${error.message}`, error]))
  if (!seen.size) return null
  const most = [...seen.values()].slice(0, 5)
  const left = seen.size - most.length + errors_omitted
  return (
    <section class="note bad" aria-label="What went wrong" role="alert">
      <ul class="plain">
        {most.map((error) => (
          <li key={error.code + error.message}>
            <Failure {...error} />
          </li>
        ))}
      </ul>
      {left > 0 && <p class="faint">{numberText(left)} more; each task says its own.</p>}
    </section>
  )
}

const Facts = ({ run }: { run: Inference }) => (
  <dl class="facts">
    <dt>Model</dt>
    <dd>
      <a href={`#/models/${run.model_id}`}>{run.model_display_name}</a>
    </dd>
    {run.generic_processor_id && (
      <>
        <dt>Processor</dt>
        <dd>
          <a href={`#/processors/${run.generic_processor_id}`}>
            {run.generic_processor?.name ?? run.generic_processor_id}
          </a>
        </dd>
      </>
    )}
    {run.temporal_domain.length > 0 && (
      <>
        <dt>Dates</dt>
        <dd>
          <Times run={run} />
        </dd>
      </>
    )}
    <dt>Started</dt>
    <dd>
      {timeText(run.created_at)} by {run.created_by}
    </dd>
    <dt>Progress</dt>
    <dd>
      <Progress run={run} />
    </dd>
  </dl>
)

const MapOf = ({ run, tasks, about }: { run: Inference; tasks: readonly Task[]; about: About }) => {
  const { Chunk, error } = useChunk(() => import('../map/run-map.tsx'))
  const [model, setModel] = useState<Model | null>()
  useEffect(() => {
    // A model that was deleted, or is not shared, leaves the colours that the files hold.
    get<Model>(`v2/models/${run.model_id}`).then(setModel, () => setModel(null))
  }, [run.model_id])
  if (error) return <ErrorNote error={new Error('The map did not load; open the page again.')} />
  return Chunk && model !== undefined ? (
    <Chunk run={run} tasks={tasks} model={model} about={about} />
  ) : (
    <p class="map-empty faint">Loading the map…</p>
  )
}

/** One run: its progress while it works, its layers when it is done. */
export const Run = ({ id, about }: { id: string; about: About }) => {
  const { run, tasks, error, look } = useRun(id)
  const [sharing, setSharing] = useState(false)
  const finished = useMemo(
    () => tasks.filter((task) => task.status === 'FINISHED' && !task.task_id.endsWith('planning')),
    [tasks.map(({ task_id, status }) => `${task_id} ${status}`).join()],
  )
  if (!run)
    return (
      <>
        <Heading text="Run" />
        <ErrorNote
          error={
            isMissing(error)
              ? new Error('There is no such run, or it is not shared with you.')
              : error
          }
        />
        {!error && <p class="faint">Loading…</p>}
      </>
    )
  const live = !hasEnded(run.status)
  const own = run.created_by === about.user
  const cancel = async () => {
    await call('POST', `v2/inference/${run.id}/cancel`)
    look()
  }
  const remove = async () => {
    await call('DELETE', `v2/inference/${run.id}`)
    go('runs')
  }
  return (
    <>
      <Heading text={placeText(run)}>
        <span role="status">
          <Status status={run.status} />
        </span>
        {own && live && <Act label="Cancel" sure="Its tasks stop." onAct={cancel} />}
        <a class="button" href={`#/new?from=${id}`}>
          Run again with changes
        </a>
        {own && (
          <button aria-expanded={sharing} onClick={() => setSharing(!sharing)}>
            Share
          </button>
        )}
        {own && <Act label="Delete" sure="Its files go too." onAct={remove} />}
      </Heading>
      {sharing && <Share type="inference_run" id={id} />}
      {run.description && <p class="faint described">{run.description}</p>}
      <ErrorNote error={error} />
      <Errors run={run} />
      <div class="run">
        <div class="run-map">
          {finished.length > 0 ? (
            <MapOf run={run} tasks={finished} about={about} />
          ) : (
            <p class="map-empty faint">
              {live ? 'Layers appear here as tasks finish.' : 'No task made a layer.'}
            </p>
          )}
        </div>
        <div class="run-side">
          <Facts run={run} />
          <Tasks tasks={tasks} live={live} />
          {finished.length > 0 && <Downloads tasks={finished} />}
        </div>
      </div>
    </>
  )
}
