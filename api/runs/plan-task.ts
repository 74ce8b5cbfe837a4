import { type PlannerCatalogue, missingText, NO_DATA } from '../../pipelines/planner.ts'
import type { PlannedTask } from '../../pipelines/plan.ts'
import type { Config } from '../config.ts'
import { type Db, json, notify, type WireStep } from '../database/database.ts'
import { addError } from '../inference/events.ts'
import { listedName } from '../planning/listed.ts'
import { planOf, type StoredPlan } from '../planning/plan-of.ts'
import type { Store } from '../storage/store.ts'
import { zipLister } from './list-zip.ts'
import { affinityOf } from './engines.ts'
import type { Recorder, TaskRow } from './record.ts'
import { sharedOf, type SharedParameters, type TaskConfig, withoutShared } from './task-config.ts'

const BATCH = 500
const MOST_LISTED = 1000

const priorityOf = (tasks: number): number => (tasks <= 5 ? 4 : tasks <= 15 ? 5 : 6)

/** Steps as clients see them: under the names of the request's own pipeline. */
const wireSteps = (task: PlannedTask, listed: readonly WireStep[]): WireStep[] =>
  task.steps.map(({ process_id, step_number }) => ({
    status: step_number === 0 ? 'READY' : 'WAITING',
    process_id: listedName(process_id, listed),
    step_number,
  }))

const rowsOf = (
  planning: TaskRow,
  listed: readonly WireStep[],
  stored: StoredPlan,
  shared: SharedParameters,
  from: number,
) => {
  const { plan, fetches, kept } = stored
  return plan.tasks.slice(from, from + BATCH).map((task) => {
    const fetch = fetches[task.origin ?? -1]
    const own: TaskConfig = {
      task: withoutShared(task, shared),
      model: plan.model,
      ...(fetch ? { fetch } : {}),
      ...(kept ? { kept } : {}),
    }
    return {
      task_id: task.task_id,
      inference_id: planning.inference_id,
      pipeline_steps: JSON.stringify(wireSteps(task, listed)),
      config: JSON.stringify(own),
      inference_folder: planning.inference_id,
      priority: priorityOf(plan.tasks.length),
      affinity: affinityOf(plan.model, Object.values(fetch ?? {})[0] ?? task.source),
      runner: null,
    }
  })
}

const logOf = ({ plan, missing, warnings }: StoredPlan): string => {
  const listed = plan.tasks
    .slice(0, MOST_LISTED)
    .map(({ task_id, source }) => `${task_id}: ${source}`.split('?')[0])
  const more = plan.tasks.length - listed.length
  return [
    ...listed,
    ...(more > 0 ? [`and ${more} tasks more`] : []),
    ...missing.map((gap) => `no data: ${missingText(gap)}`),
    ...warnings.map((text) => `note: ${text}`),
  ].join('\n')
}

/**
 * The planning task: tasks for every scene and place, written with its own end in one transaction.
 *
 * A place without data becomes an entry of the inference's errors; the other places go on.
 *
 * @throws PlanError where the request cannot be run
 */
export const planTask = async (
  deps: {
    db: Db
    config: Config
    store: Store
    recorder: Recorder
    catalogue: PlannerCatalogue
  },
  planning: TaskRow,
  log: (text: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> => {
  const { db, recorder } = deps
  const { inference_id } = planning
  const { inference_config } = await db
    .selectFrom('inf_inference')
    .select('inference_config')
    .where('id', '=', inference_id)
    .executeTakeFirstOrThrow()
  const list = zipLister(deps, planning, signal)
  const stored = await planOf({ ...deps, list }, inference_config, inference_id)
  const listed = inference_config.pipeline_steps as WireStep[]
  const shared = await sharedOf(stored.plan.tasks)
  await log(logOf(stored))
  const write = async (trx: Db): Promise<void> => {
    await trx
      .updateTable('inf_task')
      .set({ config: json({ shared }) })
      .where('task_id', '=', planning.task_id)
      .execute()
    for (let from = 0; from < stored.plan.tasks.length; from += BATCH)
      await trx
        .insertInto('inf_task')
        .values(rowsOf(planning, listed, stored, shared, from))
        .execute()
    for (const gap of stored.missing)
      await addError(trx, inference_id, {
        code: 'plan.no_data',
        error_code: NO_DATA,
        message: missingText(gap),
        bbox: gap.bbox,
        nearest: gap.nearest,
      })
    await notify(trx, 'geodag_task', inference_id)
  }
  await recorder.finished(planning, 0, {}, { then: write })
}
