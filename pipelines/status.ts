/** Statuses and how one follows from another, without I/O. @see docs/wire.md#statuses */

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

/** Tasks of an inference by how they stand, the planner's apart. */
export interface Work {
  readonly planner_status: string
  readonly work_total: number
  readonly work_finished: number
  readonly work_failed: number
  readonly work_stopped: number
}

/**
 * An inference's status from how many of its tasks ended how.
 *
 * RUNNING as long as anything is active: PARTIALLY_COMPLETED would end the SDK's poll early.
 */
export const statusOfWork = (work: Work): string => {
  const { planner_status: planner, work_total: total } = work
  if (total === 0) {
    if (planner === 'FAILED' || planner === 'STOPPED') return planner
    return planner === 'RUNNING' ? 'RUNNING' : 'PENDING'
  }
  if (work.work_finished + work.work_failed + work.work_stopped < total) return 'RUNNING'
  if (work.work_finished === total) return 'COMPLETED'
  if (work.work_failed === total) return 'FAILED'
  if (work.work_stopped > 0) return 'STOPPED'
  return 'COMPLETED_WITH_ERRORS'
}

/** How all of an inference's tasks stand. */
export const workOf = (tasks: readonly Omit<TaskState, 'steps'>[]): Work => {
  const work = tasks.filter((task) => !task.planning)
  const count = (status: string) => work.filter((task) => task.status === status).length
  return {
    planner_status: tasks.find((task) => task.planning)?.status ?? 'READY',
    work_total: work.length,
    work_finished: count('FINISHED'),
    work_failed: count('FAILED'),
    work_stopped: count('STOPPED'),
  }
}

/** An inference's status from all of its tasks. */
export const statusOf = (tasks: readonly TaskState[]): string => statusOfWork(workOf(tasks))

/** Steps of all tasks by status, the planner's included: what clients read as `tasks_count_*`. */
export interface Counts {
  readonly tasks_count_total: number
  readonly tasks_count_success: number
  readonly tasks_count_failed: number
  readonly tasks_count_stopped: number
  readonly tasks_count_waiting: number
}

/** The counts from how many steps have each status. */
export const countsFrom = (steps: Readonly<Record<string, number>>): Counts => ({
  tasks_count_total: Object.values(steps).reduce((sum, count) => sum + count, 0),
  tasks_count_success: steps.FINISHED ?? 0,
  tasks_count_failed: steps.FAILED ?? 0,
  tasks_count_stopped: steps.STOPPED ?? 0,
  tasks_count_waiting: (steps.WAITING ?? 0) + (steps.READY ?? 0),
})

export const countsOf = (tasks: readonly TaskState[]): Counts => {
  const byStatus: Record<string, number> = {}
  for (const { status } of tasks.flatMap((task) => task.steps))
    byStatus[status] = (byStatus[status] ?? 0) + 1
  return countsFrom(byStatus)
}

/** Status and counts after one task went from `before` to `after`; the others are not looked at. */
export const moved = <T extends Work & Counts>(held: T, before: TaskState, after: TaskState): T => {
  const shift = (now: object, from: object, to: object) =>
    Object.fromEntries(
      Object.entries(now).map(([key, value]) => [
        key,
        typeof value === 'number'
          ? value + Number(to[key as never] ?? 0) - Number(from[key as never] ?? 0)
          : value,
      ]),
    )
  const all = (task: TaskState) => ({ ...countsOf([task]), ...workOf([task]) })
  const next = shift(held, all(before), all(after)) as T
  return after.planning ? { ...next, planner_status: after.status } : next
}
