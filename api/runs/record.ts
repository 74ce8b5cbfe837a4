import { type Selectable, sql } from 'kysely'
import { TASK_ENDS, taskStatus } from '../../pipelines/status.ts'
import { type Db, notify, persist, type TaskTable, type WireStep } from '../database/database.ts'
import { addLayers } from '../inference/layers.ts'
import { lockInference, taskMoved } from '../inference/counts.ts'
import { addError, publish } from '../inference/events.ts'
import { stepTime } from '../http/time.ts'

export type TaskRow = Selectable<TaskTable>

/** Another runner holds the task, or it was cancelled: what this one does no longer counts. */
export class LostLease extends Error {}

/** Between two looks whether an engine answers again. */
const POSTPONED_SECONDS = 10

export interface StepFailure {
  readonly code: string
  readonly message: string
}

/** How the runner writes: compare-and-set under the task's fence. @see DESIGN.md 4 */
export const recorder = (
  db: Db,
  options: {
    runner: string
    leaseSeconds: number
    system: string
    maxAttempts: number
    retrySeconds: number
  },
) => {
  const { runner, leaseSeconds, system } = options
  const lease = sql<Date>`now() + make_interval(secs => ${leaseSeconds})`

  /** Takes the next task that is due: ready, or left by a runner whose lease has ended. */
  const claim = async (): Promise<TaskRow | undefined> =>
    db
      .updateTable('inf_task')
      .set({
        runner,
        lease_until: lease,
        fence: sql`fence + 1`,
        attempt: sql`attempt + 1`,
        updated_at: sql`now()`,
      })
      .where('id', '=', (q) =>
        q
          .selectFrom('inf_task')
          .select('id')
          .where('status', 'in', ['READY', 'RUNNING'])
          .where((e) =>
            e.or([e('lease_until', 'is', null), e('lease_until', '<', sql<Date>`now()`)]),
          )
          .where((e) =>
            e.or([e('not_before', 'is', null), e('not_before', '<=', sql<Date>`now()`)]),
          )
          .orderBy('priority')
          .orderBy('id')
          .limit(1)
          .forUpdate()
          .skipLocked(),
      )
      .returningAll()
      .executeTakeFirst()

  const held = (trx: Db, task: TaskRow) =>
    trx
      .updateTable('inf_task')
      .where('id', '=', task.id)
      .where('fence', '=', task.fence)
      .where('status', 'not in', TASK_ENDS)

  /** @throws LostLease */
  const beat = async (task: TaskRow): Promise<void> => {
    const { numUpdatedRows } = await held(db, task).set({ lease_until: lease }).executeTakeFirst()
    if (numUpdatedRows === 0n) throw new LostLease(task.task_id)
  }

  /** One change of a task's steps, its status, and the inference's, in one transaction. */
  const change = (
    task: TaskRow,
    edit: (steps: WireStep[]) => WireStep[],
    more: {
      error?: StepFailure & { step: string }
      layers?: Record<string, unknown>
      message?: string
      retryIn?: number
      uncounted?: boolean
      then?: (trx: Db) => Promise<void>
    } = {},
  ): Promise<WireStep[]> =>
    persist(() =>
      db.transaction().execute(async (trx) => {
        await lockInference(trx, task.inference_id)
        const row = await trx
          .selectFrom('inf_task')
          .select(['planning', 'status', 'pipeline_steps'])
          .where('id', '=', task.id)
          .executeTakeFirstOrThrow()
        const steps = edit(row.pipeline_steps)
        const status = taskStatus(steps)
        const ended = TASK_ENDS.includes(status) || more.retryIn !== undefined
        const { numUpdatedRows } = await held(trx, task)
          .set({
            pipeline_steps: JSON.stringify(steps),
            status,
            lease_until: ended ? null : lease,
            ...(more.retryIn === undefined
              ? {}
              : { not_before: sql<Date>`now() + make_interval(secs => ${more.retryIn})` }),
            ...(more.uncounted ? { attempt: sql<number>`greatest(attempt - 1, 0)` } : {}),
            updated_at: sql`now()`,
          })
          .executeTakeFirst()
        if (numUpdatedRows === 0n) throw new LostLease(task.task_id)
        if (more.error) await keepError(trx, task, more.error)
        if (more.layers) {
          await addLayers(trx, task.inference_id, more.layers)
          await publish(
            trx,
            task.inference_id,
            'Inf:Task:LayerReady',
            { ...more.layers, task_id: task.task_id },
            system,
          )
        }
        if (more.message)
          await publish(
            trx,
            task.inference_id,
            'Inf:Task:Notify',
            { message: more.message, task_id: task.task_id },
            system,
          )
        if (more.then) await more.then(trx)
        const before = { ...row, steps: row.pipeline_steps }
        const after = { planning: row.planning, status, steps }
        await taskMoved(trx, task.inference_id, before, after, system)
        return steps
      }),
    )

  /** Why it failed, on the inference, readable by REST. */
  const keepError = async (trx: Db, task: TaskRow, error: StepFailure & { step: string }) => {
    await addError(trx, task.inference_id, { ...error, task_id: task.task_id })
    const detail = { error: error.message, error_code: error.code, task_id: task.task_id }
    await publish(trx, task.inference_id, 'Inf:Task:Failed', detail, system)
  }

  /** A step without what an earlier try said of it. */
  const fresh = (step: WireStep): WireStep => {
    if (step.status !== 'RUNNING') return step
    const { error: _, message: __, ...rest } = step
    return rest as WireStep
  }

  const at = (steps: WireStep[], number: number, values: Partial<WireStep>): WireStep[] =>
    steps.map((step) => (step.step_number === number ? { ...step, ...values } : step))

  return {
    claim,
    beat,
    change,
    started: (task: TaskRow, number: number, message: string) =>
      change(
        task,
        (steps) =>
          at(steps, number, { status: 'RUNNING', start_time: stepTime(new Date()) }).map(fresh),
        { message },
      ),
    finished: (
      task: TaskRow,
      number: number,
      values: Partial<WireStep>,
      more: Parameters<typeof change>[2] = {},
    ) =>
      change(
        task,
        (steps) =>
          at(steps, number, { ...values, status: 'FINISHED', end_time: stepTime(new Date()) }).map(
            (step) =>
              step.step_number === number + 1 && step.status === 'WAITING'
                ? { ...step, status: 'READY' }
                : step,
          ),
        more,
      ),
    /** FAILED: what has not begun is STOPPED, so that no count waits for ever. */
    failed: (task: TaskRow, number: number, { code, message }: StepFailure) =>
      change(
        task,
        (steps) =>
          at(steps, number, {
            status: 'FAILED',
            end_time: stepTime(new Date()),
            error: { code, message },
          }).map((step) =>
            ['WAITING', 'READY'].includes(step.status) ? { ...step, status: 'STOPPED' } : step,
          ),
        { error: { code, message, step: task.pipeline_steps[number]?.process_id ?? '' } },
      ),
    /** Back in the queue after a pause that doubles; true when there is another try. */
    retry: async (task: TaskRow, number: number, why: StepFailure): Promise<boolean> => {
      if (task.attempt >= options.maxAttempts) return false
      const retryIn = options.retrySeconds * 2 ** (task.attempt - 1)
      await change(task, (steps) => at(steps, number, { status: 'READY', error: { ...why } }), {
        retryIn,
        message: `${why.message}; trying again in ${retryIn} s (${task.attempt} of ${options.maxAttempts})`,
      })
      return true
    },
    /** Waits for an engine, for as long as it takes: nothing was tried, so no try is counted. */
    postpone: (task: TaskRow, number: number, why: string) =>
      change(task, (steps) => at(steps, number, { message: `waiting: ${why}` }), {
        retryIn: POSTPONED_SECONDS,
        uncounted: true,
      }),
    /** Gives the task back unharmed, for a runner that drains. */
    release: async (task: TaskRow): Promise<void> => {
      await held(db, task)
        .set({ lease_until: null, attempt: sql`greatest(attempt - 1, 0)` })
        .execute()
      await notify(db, 'geodag_task', task.inference_id)
    },
  }
}
export type Recorder = ReturnType<typeof recorder>
