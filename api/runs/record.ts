import { type Selectable, sql } from 'kysely'
import { TASK_ENDS, taskStatus } from '../../pipelines/status.ts'
import { type Db, notify, persist, type TaskTable, type WireStep } from '../database/database.ts'
import { addLayers } from '../inference/layers.ts'
import { lockInference, taskMoved } from '../inference/counts.ts'
import { addError, publish } from '../inference/events.ts'
import { stepTime } from '../http/time.ts'
import { log } from '../watch/log.ts'
import { openSpan, spanFailed } from '../watch/tracing.ts'
import type { RunMetrics } from '../watch/run-metrics.ts'
import { dueFor, type Engines } from './engines.ts'

export type TaskRow = Selectable<TaskTable>

/** What a line of the log says of a task. */
export const idsOf = ({ inference_id, task_id, runner, attempt }: TaskRow) => ({
  ...{ inference: inference_id, task: task_id, runner, attempt },
})

/** Another runner holds the task, or it was cancelled: what this one does no longer counts. */
export class LostLease extends Error {}

/** At most this long between two looks whether an engine or a store answers again. */
const POSTPONED_SECONDS = 10

export interface StepFailure {
  readonly code: string
  readonly message: string
}

const stepOf = (task: TaskRow, number: number): string | undefined =>
  task.pipeline_steps[number]?.process_id

/** The step that can't go on: `number`, or the first that is open where that one has ended already. */
const standing = (steps: readonly WireStep[], number: number): number => {
  const open = (step: WireStep | undefined) => step && !TASK_ENDS.includes(step.status)
  return open(steps[number]) ? number : steps.findIndex(open)
}

/** How the runner writes: compare-and-set under the task's fence. */
export const recorder = (
  db: Db,
  options: {
    runner: string
    leaseSeconds: number
    system: string
    maxAttempts: number
    maxDeaths: number
    retrySeconds: number
    metrics?: RunMetrics
  },
) => {
  const { runner, leaseSeconds, system, metrics } = options
  const lease = sql<Date>`now() + make_interval(secs => ${leaseSeconds})`

  /** What may be claimed of `inf_task t`; pauses are written as the index of the queue has them. */
  const due = (own: readonly string[]) => sql`
    t.status in ('READY', 'RUNNING')
    and (t.lease_until is null or t.lease_until < now()
      and pg_postmaster_start_time() < now() - make_interval(secs => ${leaseSeconds}))
    and t.id <> all(${[...own]}::bigint[])
    and coalesce(t.not_before, '-infinity') <= now()`
  const firstOf = (due: ReturnType<typeof sql>) => sql<string>`
    (select t.id from inf_task t where ${due}
     order by t.priority, t.id limit 1 for update skip locked)`

  /**
   * Takes the next task that is due: ready, or left by a runner whose lease has ended, which is a
   * death of its holder. What this process still runs (`own`) is not left. A Postgres that has just
   * come back gives every holder the time of a lease to say that it lives. Where several engines
   * answer (`engines`), each takes first what its cache may know.
   */
  const claim = async (
    own: readonly string[] = [],
    engines?: Engines,
  ): Promise<TaskRow | undefined> =>
    db
      .updateTable('inf_task')
      .set({
        runner,
        lease_until: lease,
        fence: sql`fence + 1`,
        attempt: sql`attempt + 1`,
        deaths: sql`deaths + case when lease_until is null or runner = ${runner} then 0 else 1 end`,
        updated_at: sql`now()`,
      })
      .where('id', '=', engines ? dueFor(engines, due(own)) : firstOf(due(own)))
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
      error?: StepFailure
      layers?: Record<string, unknown>
      message?: string
      retryIn?: number
      uncounted?: boolean
      counts?: { failures: number; deaths: number }
      /** Bytes that the task's outputs take in the store: its owner's quota counts them. */
      stored?: number
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
        // A step that has ended stays as it is, whatever is said of it later.
        const edited = edit(row.pipeline_steps)
        const steps = row.pipeline_steps.map((step, n) =>
          TASK_ENDS.includes(step.status) ? step : edited[n]!,
        )
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
            ...more.counts,
            updated_at: sql`now()`,
          })
          .executeTakeFirst()
        if (numUpdatedRows === 0n) throw new LostLease(task.task_id)
        if (more.error) {
          const step = steps.find((one) => one.status === 'FAILED')?.process_id ?? ''
          await keepError(trx, task, { ...more.error, step })
        }
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
        if (more.stored)
          await trx
            .updateTable('inf_inference')
            .set({ stored_bytes: sql<number>`stored_bytes + ${more.stored}` })
            .where('id', '=', task.inference_id)
            .execute()
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

  /** The step that stands goes back in the queue. */
  const again = (number: number, values: Partial<WireStep>) => (steps: WireStep[]) =>
    at(steps, standing(steps, number), { status: 'READY', ...values })

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
    finished: async (
      task: TaskRow,
      number: number,
      values: Partial<WireStep>,
      more: Parameters<typeof change>[2] = {},
    ) => {
      const counts = { failures: 0, deaths: 0 }
      const steps = await change(
        task,
        (steps) =>
          at(steps, number, { ...values, status: 'FINISHED', end_time: stepTime(new Date()) }).map(
            (step) =>
              step.step_number === number + 1 && step.status === 'WAITING'
                ? { ...step, status: 'READY' }
                : step,
          ),
        { ...more, counts },
      )
      Object.assign(task, counts)
      if (steps.every((step) => TASK_ENDS.includes(step.status))) metrics?.ended('finished')
    },
    /** FAILED, of the step that could not go on: what is left is STOPPED, so that no count waits for ever. */
    failed: async (task: TaskRow, number: number, { code, message }: StepFailure, stored = 0) => {
      const steps = await change(
        task,
        (steps) =>
          at(steps, standing(steps, number), {
            status: 'FAILED',
            end_time: stepTime(new Date()),
            error: { code, message },
          }).map((step) => (step.status === 'FAILED' ? step : { ...step, status: 'STOPPED' })),
        { error: { code, message }, stored },
      )
      metrics?.ended('failed')
      metrics?.failed(code, true)
      spanFailed(openSpan(), code)
      log.error({ ...idsOf(task), step: stepOf(task, number), code }, `failed: ${message}`)
      return steps
    },
    /** Back in the queue after a pause that doubles; true when there is another try. */
    retry: async (task: TaskRow, number: number, why: StepFailure): Promise<boolean> => {
      const failures = task.failures + 1
      if (failures >= options.maxAttempts) return false
      const retryIn = options.retrySeconds * 2 ** (failures - 1)
      await change(task, again(number, { error: { ...why } }), {
        retryIn,
        counts: { failures, deaths: task.deaths },
        message: `${why.message}; trying again in ${retryIn} s (${failures} of ${options.maxAttempts})`,
      })
      spanFailed(openSpan(), why.code)
      log.warn(
        { ...idsOf(task), step: stepOf(task, number), code: why.code, why: why.message },
        'the step is tried again',
      )
      metrics?.ended('retried')
      metrics?.failed(why.code, false)
      return true
    },
    /** The session or the engine died under the step: nobody's try, but bounded as deaths are. */
    bereft: async (task: TaskRow, number: number, why: StepFailure): Promise<boolean> => {
      const deaths = task.deaths + 1
      if (deaths > options.maxDeaths) return false
      const retryIn = Math.min(options.retrySeconds * 2 ** (deaths - 1), POSTPONED_SECONDS)
      await change(task, again(number, { error: { ...why } }), {
        retryIn,
        counts: { failures: task.failures, deaths },
        message: `${why.message}; trying again in ${retryIn} s (no try of the step is counted)`,
      })
      spanFailed(openSpan(), why.code)
      log.warn({ ...idsOf(task), code: why.code, why: why.message }, 'the session was lost')
      metrics?.ended('lost')
      metrics?.failed(why.code, false)
      return true
    },
    /** Waits for an engine or a store, for as long as it takes: nothing was tried, no try is counted. */
    postpone: async (task: TaskRow, number: number, why: string) => {
      await change(task, again(number, { message: `waiting: ${why}` }), {
        retryIn: Math.min(options.retrySeconds * 10, POSTPONED_SECONDS),
        uncounted: true,
      })
      metrics?.ended('postponed')
    },
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
