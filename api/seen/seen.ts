import type { PlannedTask } from '../../pipelines/plan.ts'
import { contractOf, type StepName } from '../../steps/contracts.ts'
import type { Db, WireStep } from '../database/database.ts'
import { wireTime } from '../http/time.ts'
import { listedName } from '../planning/listed.ts'
import type { StoredPlan } from '../planning/plan-of.ts'
import type { Store } from '../storage/store.ts'
import { stepKeys } from './keys.ts'
import { lastRuns } from './runs.ts'

/** Tasks that are looked up while a client waits. */
const MOST = 200

/** What is known of a step's earlier runs, over the tasks that were looked up. */
export interface SeenStep {
  readonly process_id: string
  /** It reads or changes things outside, so that no cache answers it */
  readonly always_runs: boolean
  readonly tasks: number
  /** Tasks in which it would be called with the same as in an earlier run of this user */
  readonly seen_before: number
  /** The latest of these runs */
  readonly last_run_at: string | null
}

/** Whether a step's own work is done at each run, whatever an engine has cached. */
export const alwaysRuns = ({ process_id, parameters }: PlannedTask['steps'][number]): boolean => {
  const { effect, online } = contractOf(process_id)
  return effect === true || online?.(parameters) === true
}

/**
 * Which steps of a plan ran before with the same call, on an engine that answers now.
 *
 * That is no promise: an engine drops from its cache what it needs the room for.
 */
export const seenBefore = async (
  deps: { readonly db: Db; readonly store: Store; readonly seconds: number },
  user: string,
  { plan, fetches, kept }: StoredPlan,
  listed: readonly WireStep[],
): Promise<{ tasks: number; steps: SeenStep[] }> => {
  const known = new Map<string, string>()
  const tasks = plan.tasks.slice(0, MOST)
  const keys = await Promise.all(
    tasks.map((task) => {
      const fetch = fetches[task.origin ?? -1]
      return stepKeys(deps.store, { task, fetch, kept }, known)
    }),
  )
  const last = await lastRuns(deps.db, user, keys.flat(), deps.seconds)
  const found = new Map<StepName, SeenStep>()
  for (const [n, task] of tasks.entries())
    for (const [at, step] of task.steps.entries()) {
      const always_runs = alwaysRuns(step)
      const before = found.get(step.process_id)
      const run = always_runs ? undefined : last.get(keys[n]![at]!.toString('hex'))
      const when = [before?.last_run_at, run && wireTime(run)].filter((one) => !!one).sort()
      found.set(step.process_id, {
        process_id: listedName(step.process_id, listed),
        always_runs: always_runs || before?.always_runs === true,
        tasks: (before?.tasks ?? 0) + 1,
        seen_before: (before?.seen_before ?? 0) + (run ? 1 : 0),
        last_run_at: when.at(-1) ?? null,
      })
    }
  return { tasks: tasks.length, steps: [...found.values()] }
}
