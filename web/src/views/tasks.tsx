import { useEffect, useState } from 'preact/hooks'
import { count, durationText } from '../format.ts'
import type { Step, Task } from '../types.ts'
import { Failure, Pager, Status } from '../ui.tsx'
import { Log } from './log.tsx'

const SIZE = 50
const isOpen = (status: string) => ['RUNNING', 'READY'].includes(status)

/** The day of a task's scene: its files are named by it. */
export const dayOf = (task: Task): string => {
  const files = task.pipeline_steps.flatMap(({ artifacts }) => Object.values(artifacts ?? {}))
  return files.map((file) => /\d{4}-\d\d-\d\d/.exec(file)?.[0]).find(Boolean) ?? ''
}
const nameOf = (task: Task): string => task.task_id.slice(task.task_id.lastIndexOf('-task') + 1)
const labelOf = (task: Task): string => {
  const name = nameOf(task)
  if (name === 'task_planning') return 'Planning'
  const file = task.pipeline_steps.flatMap(({ artifacts }) => Object.values(artifacts ?? {}))[0]
  return `${name.replace('task_', 'Task ')}${file ? ` · ${file}` : ''}`
}

const StepRow = ({ task, step, now }: { task: Task; step: Step; now: number }) => {
  const [open, setOpen] = useState(false)
  const begun = step.status !== 'WAITING'
  return (
    <li class="step">
      <div class="line">
        <Status status={step.status} />
        <span class="name">{step.process_id}</span>
        <span class="number faint">{durationText(step.start_time, step.end_time, now)}</span>
        <button
          class="small"
          disabled={!begun}
          aria-expanded={open}
          aria-label={`Log of ${step.process_id}`}
          onClick={() => setOpen(!open)}
        >
          Log
        </button>
      </div>
      {step.error && (
        <p class="note bad">
          <Failure {...step.error} />
        </p>
      )}
      {step.message && !step.error && <p class="hint">{step.message}</p>}
      {open && <Log task={task.task_id} step={step.process_id} live={isOpen(step.status)} />}
    </li>
  )
}

const TaskRow = ({ task, now, open }: { task: Task; now: number; open: boolean }) => {
  const steps = task.pipeline_steps
  const from = steps.find((step) => step.start_time)?.start_time
  const ended = !['RUNNING', 'READY', 'WAITING', 'PENDING'].includes(task.status)
  const to = ended ? steps.findLast((step) => step.end_time)?.end_time : undefined
  // A closed task draws no steps: a run has hundreds.
  const [shown, setShown] = useState(open)
  useEffect(() => {
    if (open) setShown(true)
  }, [open])
  return (
    <details class="task" open={shown} onToggle={(event) => setShown(event.currentTarget.open)}>
      <summary>
        <Status status={task.status} />
        <span class="name">{labelOf(task)}</span>
        <span class="number faint">{durationText(from, to, now)}</span>
      </summary>
      {shown && (
        <ol class="steps">
          {steps.map((step) => (
            <StepRow key={step.process_id} task={task} step={step} now={now} />
          ))}
        </ol>
      )}
    </details>
  )
}

/** Tasks with their steps, a page of them at a time; times go on while it runs. */
export const Tasks = ({ tasks, live }: { tasks: readonly Task[]; live: boolean }) => {
  const [skip, setSkip] = useState(0)
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (!live) return
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [live])
  const failed = tasks.filter(({ status }) => status === 'FAILED')
  const rest = tasks.filter(({ status }) => status !== 'FAILED')
  // What needs a person stands first.
  const ordered = [...failed, ...rest]
  return (
    <section aria-label="Tasks">
      <h2>
        Tasks <span class="faint">{count(tasks.length, 'task')}</span>
      </h2>
      {ordered.slice(skip, skip + SIZE).map((task) => (
        <TaskRow
          key={task.task_id}
          task={task}
          now={now}
          open={
            task.status === 'FAILED'
              ? failed.length < 4
              : tasks.length < 4 && !task.task_id.endsWith('planning')
          }
        />
      ))}
      <Pager skip={skip} size={SIZE} total={ordered.length} onSkip={setSkip} />
    </section>
  )
}
