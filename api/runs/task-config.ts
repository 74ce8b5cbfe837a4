import { isDeepStrictEqual } from 'node:util'
import type { PlannedTask } from '../../pipelines/plan.ts'
import type { Db } from '../database/database.ts'

/** A planned task as its row keeps it; what all tasks of the plan share is kept once, by the planner. */
export interface TaskConfig {
  readonly task: PlannedTask
  readonly model: string
  /** Given file to its URL in our own store, read without a network */
  readonly fetch?: Readonly<Record<string, string>>
  /** Files of the model, by their name below models/, and their keys in our own store. */
  readonly kept?: Readonly<Record<string, string>>
}

/** Parameters that are the same in every task, by step: a user's script is stored once, not 10,000 times. */
export type SharedParameters = Readonly<Record<string, unknown>>

export const sharedOf = async (tasks: readonly PlannedTask[]): Promise<SharedParameters> => {
  const [first, ...others] = tasks
  if (!first || others.length === 0) return {}
  const shared = new Map(first.steps.map(({ process_id, parameters }) => [process_id, parameters]))
  for (const [n, task] of others.entries()) {
    for (const [process_id, parameters] of shared) {
      const other = task.steps.find((step) => step.process_id === process_id)
      if (!isDeepStrictEqual(other?.parameters, parameters)) shared.delete(process_id)
    }
    if (n % 200 === 0) await new Promise((done) => setImmediate(done))
  }
  return Object.fromEntries(shared)
}

/** The task without what is shared. */
export const withoutShared = (task: PlannedTask, shared: SharedParameters): PlannedTask => ({
  ...task,
  steps: task.steps.map((step) =>
    step.process_id in shared ? { ...step, parameters: null } : step,
  ),
})

/** The task of a row as it was planned. */
export const readTaskConfig = async (
  db: Db,
  row: { readonly inference_id: string; readonly config: unknown },
): Promise<TaskConfig> => {
  const own = row.config as TaskConfig
  if (own.task.steps.every(({ parameters }) => parameters !== null)) return own
  const planner = await db
    .selectFrom('inf_task')
    .select('config')
    .where('task_id', '=', `${row.inference_id}-task_planning`)
    .executeTakeFirstOrThrow()
  const { shared } = planner.config as unknown as { shared: SharedParameters }
  const steps = own.task.steps.map((step) =>
    step.parameters === null ? { ...step, parameters: shared[step.process_id] } : step,
  )
  return { ...own, task: { ...own.task, steps } }
}
