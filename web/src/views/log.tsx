import { useEffect, useRef, useState } from 'preact/hooks'
import { type ApiError, get, textOf } from '../api.ts'
import { ErrorNote } from '../ui.tsx'

/** What is shown of a long log: its end. */
const LONGEST = 200_000

/** The log of a step, as it is written. */
export const Log = ({ task, step, live }: { task: string; step: string; live: boolean }) => {
  const [text, setText] = useState('')
  const [error, setError] = useState<Error>()
  const [ended, setEnded] = useState(false)
  const place = useRef<HTMLPreElement>(null)
  useEffect(() => {
    const abort = new AbortController()
    const read = async () => {
      const at = `v2/tasks/${encodeURIComponent(task)}/logs/${encodeURIComponent(step)}`
      const { step_log_url } = await get<{ step_log_url: string }>(at, abort.signal)
      const url = `${step_log_url}${live ? '&follow=true' : ''}`
      setText('')
      await textOf(url, (more) => setText((old) => (old + more).slice(-LONGEST)), abort.signal)
      setEnded(true)
    }
    read().catch((failed: ApiError) => abort.signal.aborted || setError(failed))
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
