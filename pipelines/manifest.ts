/** How one step of a task ended; `seconds` is the program's own time, `wall_seconds` this run's. */
export interface StepReport {
  readonly process_id: string
  readonly step_number: number
  readonly status: 'FINISHED' | 'FAILED' | 'SKIPPED' | 'STOPPED'
  /** The engine answered from an earlier run: no container was started. */
  readonly cached: boolean
  readonly start_time: string | null
  readonly seconds: number
  readonly wall_seconds: number
  readonly artifacts: Readonly<Record<string, string>>
  readonly details: Readonly<Record<string, unknown>>
  readonly error: { readonly code: string; readonly message: string } | null
  readonly log: string | null
}
export interface TaskReport {
  readonly task_id: string
  readonly source: string
  readonly date: string | null
  readonly folder: string
  readonly status: 'FINISHED' | 'FAILED'
  readonly steps: readonly StepReport[]
}
/** What a run reports; `manifest.json` beside the outputs. Times in UTC, ISO 8601. */
export interface Manifest {
  readonly inference_id: string
  readonly model: string
  readonly status: 'COMPLETED' | 'COMPLETED_WITH_ERRORS' | 'FAILED'
  readonly tasks: readonly TaskReport[]
}

/** @see docs/wire.md#statuses */
export const inferenceStatus = (tasks: readonly TaskReport[]): Manifest['status'] => {
  const finished = tasks.filter((task) => task.status === 'FINISHED').length
  if (finished === tasks.length) return 'COMPLETED'
  return finished === 0 ? 'FAILED' : 'COMPLETED_WITH_ERRORS'
}

/** The manifest as a few lines of text for a terminal. */
export const summarize = (manifest: Manifest): string =>
  [
    `${manifest.status}  ${manifest.model}  inference ${manifest.inference_id}`,
    ...manifest.tasks.flatMap((task) => [
      `${task.folder}  ${task.status}  ${task.source}`,
      ...task.steps.map((step) => {
        const time = step.status === 'STOPPED' ? '' : `${step.seconds.toFixed(2)} s`
        const note = step.error
          ? `${step.error.code}: ${step.error.message}`
          : String(step.details.note ?? '')
        return `  ${step.process_id.padEnd(26)}${step.status.padEnd(10)}${time.padStart(9)}${step.cached ? '  cached' : ''}  ${note}`.trimEnd()
      }),
    ]),
  ].join('\n')
