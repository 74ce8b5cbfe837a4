/** Statuses and how one follows from another, without I/O. @see contract.md 2 */

export interface StepState {
  readonly status: string
}
export interface TaskState {
  readonly planning: boolean
  readonly status: string
  readonly steps: readonly StepState[]
}

export const TASK_ENDS: readonly string[] = ['FINISHED', 'FAILED', 'STOPPED']
export const INFERENCE_ENDS: readonly string[] = [
  'COMPLETED',
  'COMPLETED_WITH_ERRORS',
  'FAILED',
  'STOPPED',
]

/** A task's status from its steps: failed wins over stopped, both over finished. */
export const taskStatus = (steps: readonly StepState[]): string => {
  const has = (status: string) => steps.some((step) => step.status === status)
  if (has('FAILED')) return 'FAILED'
  if (has('STOPPED')) return 'STOPPED'
  if (steps.every((step) => step.status === 'FINISHED')) return 'FINISHED'
  return has('RUNNING') || has('FINISHED') ? 'RUNNING' : 'READY'
}

/**
 * An inference's status from all of its tasks.
 *
 * RUNNING as long as anything is active: PARTIALLY_COMPLETED would end the SDK's poll early.
 */
export const statusOf = (tasks: readonly TaskState[]): string => {
  const planner = tasks.find((task) => task.planning)
  const work = tasks.filter((task) => !task.planning)
  if (work.length === 0) {
    if (planner?.status === 'FAILED' || planner?.status === 'STOPPED') return planner.status
    return planner?.status === 'RUNNING' ? 'RUNNING' : 'PENDING'
  }
  if (work.some((task) => !TASK_ENDS.includes(task.status))) return 'RUNNING'
  const count = (status: string) => work.filter((task) => task.status === status).length
  if (count('FINISHED') === work.length) return 'COMPLETED'
  if (count('FAILED') === work.length) return 'FAILED'
  if (count('STOPPED') > 0) return 'STOPPED'
  return 'COMPLETED_WITH_ERRORS'
}

export interface Counts {
  readonly tasks_count_total: number
  readonly tasks_count_success: number
  readonly tasks_count_failed: number
  readonly tasks_count_stopped: number
  readonly tasks_count_waiting: number
}

/** Steps of all tasks by status, the planner's included. @see contract.md 0.8 */
export const countsOf = (tasks: readonly TaskState[]): Counts => {
  const steps = tasks.flatMap((task) => task.steps)
  const count = (...wanted: string[]) => steps.filter((s) => wanted.includes(s.status)).length
  return {
    tasks_count_total: steps.length,
    tasks_count_success: count('FINISHED'),
    tasks_count_failed: count('FAILED'),
    tasks_count_stopped: count('STOPPED'),
    tasks_count_waiting: count('WAITING', 'READY'),
  }
}
