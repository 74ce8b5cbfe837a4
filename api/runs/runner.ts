import { PlanError } from '../../pipelines/errors.ts'
import { isPassing, persist } from '../database/database.ts'
import type { Listener } from '../database/listener.ts'
import { logKey } from '../tasks/log.ts'
import { planTask } from './plan-task.ts'
import { LostLease, recorder as makeRecorder, type TaskRow } from './record.ts'
import { type RunDeps, runTask } from './run-task.ts'

/** Tries after which a task that takes its runner down with it is given up. */
const MOST_CLAIMS = 8

class Draining extends Error {}

/** Claims tasks, runs so many at a time, and keeps their leases. @see DESIGN.md 4 */
export class Runner {
  private readonly deps: RunDeps
  private readonly listener: Listener
  private readonly active = new Map<TaskRow, AbortController>()
  private readonly running = new Set<Promise<void>>()
  private draining = false
  private woken = true
  private wake: () => void = () => undefined
  private loop: Promise<void> | undefined
  private beating: NodeJS.Timeout | undefined

  constructor(deps: Omit<RunDeps, 'recorder'>, listener: Listener, name: string) {
    const { config } = deps
    const recorder = makeRecorder(deps.db, {
      runner: name,
      leaseSeconds: config.LEASE_SECONDS,
      system: config.DEFAULT_SYSTEM_USER,
      maxAttempts: config.MAX_ATTEMPTS,
      retrySeconds: config.RETRY_SECONDS,
    })
    this.deps = { ...deps, recorder }
    this.listener = listener
  }

  private readonly poke = (): void => {
    this.woken = true
    this.wake()
  }
  private readonly cancel = (inference: string): void => {
    for (const [task, abort] of this.active)
      if (task.inference_id === inference) abort.abort(new LostLease(task.task_id))
  }

  start(): void {
    this.listener.on('geodag_task', this.poke).on('reconnected', this.poke)
    this.listener.on('geodag_cancel', this.cancel)
    this.beating = setInterval(() => void this.beat(), (this.deps.config.LEASE_SECONDS * 1000) / 3)
    this.loop = this.claimAll()
  }

  /** Stops claiming; waits `graceSeconds` for what runs, then gives it back. */
  async drain(graceSeconds: number): Promise<void> {
    this.draining = true
    this.poke()
    await this.loop
    let timer: NodeJS.Timeout | undefined
    const grace = new Promise((done) => (timer = setTimeout(done, graceSeconds * 1000)))
    await Promise.race([Promise.allSettled([...this.running]), grace])
    clearTimeout(timer)
    for (const abort of this.active.values()) abort.abort(new Draining('drain'))
    await Promise.allSettled([...this.running])
    clearInterval(this.beating)
    this.listener.off('geodag_task', this.poke).off('geodag_cancel', this.cancel)
  }

  private async claimAll(): Promise<void> {
    while (!this.draining) {
      this.woken = false
      const free = this.deps.config.RUNNER_CONCURRENCY - this.running.size
      const task = free > 0 ? await this.deps.recorder.claim().catch(() => undefined) : undefined
      if (task) this.launch(task)
      else await this.sleep()
    }
  }

  /** Until there is news; at the latest after a second, for leases that end and pauses that are over. */
  private sleep(): Promise<void> {
    if (this.woken) return Promise.resolve()
    return new Promise((done) => {
      const timer = setTimeout(done, 1000)
      this.wake = () => {
        clearTimeout(timer)
        done()
      }
    })
  }

  private launch(task: TaskRow): void {
    const abort = new AbortController()
    this.active.set(task, abort)
    const done = this.run(task, abort.signal)
      .catch((error) => console.error(`task ${task.task_id}`, error))
      .finally(() => {
        this.active.delete(task)
        this.running.delete(done)
        this.poke()
      })
    this.running.add(done)
  }

  private async run(task: TaskRow, signal: AbortSignal): Promise<void> {
    const { recorder } = this.deps
    try {
      if (task.attempt > MOST_CLAIMS) {
        const number = task.pipeline_steps.findIndex((step) => step.status !== 'FINISHED')
        const message = `its runner ended ${MOST_CLAIMS} times while it ran: the task may take more than the machine has`
        await recorder.failed(task, Math.max(0, number), { code: 'task.attempts', message })
      } else if (task.planning) await this.plan(task)
      else await runTask(this.deps, task, signal)
    } catch (error) {
      if (error instanceof LostLease) return this.forgetDeleted(task)
      if (error instanceof Draining) return persist(() => recorder.release(task))
      throw error // the lease ends, and another runner goes on
    }
  }

  /** What this runner still wrote while its inference was deleted goes too. */
  private async forgetDeleted({ inference_id }: TaskRow): Promise<void> {
    const row = await this.deps.db
      .selectFrom('inf_inference')
      .select('deleted')
      .where('id', '=', inference_id)
      .executeTakeFirst()
    if (row?.deleted) await this.deps.store.removeBelow(inference_id)
  }

  private async plan(task: TaskRow): Promise<void> {
    const { recorder } = this.deps
    await recorder.started(task, 0, 'Planning inference tasks ..')
    const key = logKey(task.inference_id, task.task_id, task.pipeline_steps[0]!.process_id)
    const log = (text: string, code: number) =>
      this.deps.store
        .put(key, `Task ID: ${task.task_id}\n${text}\nReturn code: ${code}\n`)
        .catch(() => undefined) // a planner without a log still has planned
    try {
      await planTask(this.deps, task, (text) => log(text, 0))
    } catch (error) {
      if (error instanceof LostLease) throw error
      const message = String((error as Error).message)
      await log(message, 1)
      if (error instanceof PlanError)
        return void (await recorder.failed(task, 0, {
          code: error.code,
          message: message.slice(error.code.length + 2),
        }))
      const failure = { code: 'plan.failed', message: message.slice(0, 500) }
      if (isPassing(error) || !(await recorder.retry(task, 0, failure)))
        await recorder.failed(task, 0, failure)
    }
  }

  private async beat(): Promise<void> {
    for (const [task, abort] of this.active)
      await this.deps.recorder.beat(task).catch((error) => {
        // Postgres away is no reason to stop: the compare-and-set decides when it is back.
        if (error instanceof LostLease) abort.abort(error)
      })
  }
}
