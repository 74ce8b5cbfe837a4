import { useEffect, useRef, useState } from 'preact/hooks'
import { type ApiError, get, mayPass, pause, textOf } from '../api.ts'
import { ErrorNote } from '../ui.tsx'

/** What is shown of a long log: its end. */
const LONGEST = 200_000
/** Between two tries to read the log of a step that runs, ms. */
const AGAIN_MS = 2000

/** The log of a step, as it is written. */
export const Log = ({ task, step, live }: { task: string; step: string; live: boolean }) => {
  const [text, setText] = useState('')
  const [error, setError] = useState<Error>()
  const [ended, setEnded] = useState(false)
  const place = useRef<HTMLPreElement>(null)
  useEffect(() => {
    const abort = new AbortController()
    const { signal } = abort
    const read = async () => {
      const at = `v2/tasks/${encodeURIComponent(task)}/logs/${encodeURIComponent(step)}`
      const { step_log_url } = await get<{ step_log_url: string }>(at, signal)
      const url = `${step_log_url}${live ? '&follow=true' : ''}`
      setText('')
      setError(undefined)
      await textOf(url, (more) => setText((old) => (old + more).slice(-LONGEST)), signal)
      setEnded(true)
    }
    const follow = async () => {
      for (;;)
        try {
          return await read()
        } catch (failed) {
          if (signal.aborted) return
          const unbegun = live && (failed as ApiError).status === 409
          if (!unbegun) setError(failed as Error)
          if (!unbegun && !mayPass(failed)) return
          await pause(AGAIN_MS, signal)
        }
    }
    void follow()
    return () => abort.abort()
  }, [task, step, live])
  useEffect(() => {
    const pre = place.current
    if (pre && live) pre.scrollTop = pre.scrollHeight
  }, [text, live])
  return (
    <>
      <ErrorNote error={error} />
      <pre class="log" ref={place} tabIndex={0} aria-label={`Log of ${step}`}>
        {text || (ended ? 'It wrote nothing.' : '')}
      </pre>
    </>
  )
}
