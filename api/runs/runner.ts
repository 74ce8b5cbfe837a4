import { log } from '../watch/log.ts'
import { CataloguePasses } from '../../pipelines/catalogues.ts'
import { PlanError } from '../../pipelines/errors.ts'
import { NotListed } from '../../pipelines/fan-out.ts'
import { TASK_ENDS } from '../../pipelines/status.ts'
import { isPassing, persist } from '../database/database.ts'
import type { Listener } from '../database/listener.ts'
import { purge } from '../inference/purge.ts'
import { StoreError } from '../storage/errors.ts'
import { logKey } from '../storage/keys.ts'
import { contextOf, inSpan, traced } from '../watch/tracing.ts'
import type { RunMetrics } from '../watch/run-metrics.ts'
import { EngineWatch } from './engine-watch.ts'
import { cleanUp } from './janitor.ts'
import { planTask } from './plan-task.ts'
import { idsOf, LostLease, recorder as makeRecorder, type TaskRow } from './record.ts'
import { type RunDeps, runTask } from './run-task.ts'
import { killsItsRunner } from './settle.ts'
import { hear, keepHeard } from './step-logs.ts'

const CLEAN_SECONDS = 60
/** The loop turns each second; a claim waits 15 s at most for a database that is silent. */
const STANDS_STILL_MS = 60_000

class Draining extends Error {}

/** Claims tasks, runs so many at a time, and keeps their leases. */
export class Runner {
  private readonly deps: RunDeps
  private readonly listener: Listener
  private readonly engines: EngineWatch
  private readonly active = new Map<TaskRow, AbortController>()
  private readonly running = new Set<Promise<void>>()
  private ending = false
  private turned = Date.now()
  private woken = true
  private wake: () => void = () => undefined
  private loop: Promise<void> | undefined
  private beating: NodeJS.Timeout | undefined
  private cleaning: NodeJS.Timeout | undefined
  private cleaned: Promise<void> = Promise.resolve()

  constructor(deps: Omit<RunDeps, 'recorder'>, listener: Listener, name: string) {
    const { config, metrics } = deps
    metrics.concurrency(config.RUNNER_CONCURRENCY)
    const recorder = makeRecorder(deps.db, {
      runner: name,
      leaseSeconds: config.LEASE_SECONDS,
      system: config.DEFAULT_SYSTEM_USER,
      maxAttempts: config.MAX_ATTEMPTS,
      maxDeaths: config.MAX_DEATHS,
      retrySeconds: config.RETRY_SECONDS,
      metrics,
    })
    this.deps = { ...deps, recorder }
    this.listener = listener
    this.engines = new EngineWatch(deps.db, config, name)
  }

  private get metrics(): RunMetrics {
    return this.deps.metrics
  }

  private readonly poke = (): void => {
    this.woken = true
    this.wake()
  }
  /** Postgres answers again: first what runs here is kept, then there is time for more. */
  private readonly back = (): void => void this.beat().then(this.poke)
  private readonly cancel = (inference: string): void => {
    for (const [task, abort] of this.active)
      if (task.inference_id === inference) abort.abort(new LostLease(task.task_id))
  }

  get draining(): boolean {
    return this.ending
  }
  /** Whether the loop still turns, or ended because it was told to. */
  get live(): boolean {
    return this.ending || Date.now() - this.turned < STANDS_STILL_MS
  }

  start(): void {
    this.listener.on('geodag_task', this.poke).on('reconnected', this.back)
    this.listener.on('geodag_cancel', this.cancel)
    this.beating = setInterval(() => void this.beat(), (this.deps.config.LEASE_SECONDS * 1000) / 3)
    const clean = () => (this.cleaned = this.cleaned.then(() => cleanUp(this.deps)))
    this.cleaning = setInterval(clean, CLEAN_SECONDS * 1000)
    void clean()
    this.loop = this.engines.start().then(() => this.claimAll())
  }

  /** Stops claiming; waits `graceSeconds` for what runs, then gives it back. */
  async drain(graceSeconds: number): Promise<void> {
    this.ending = true
    this.poke()
    await this.loop
    let timer: NodeJS.Timeout | undefined
    const grace = new Promise((done) => (timer = setTimeout(done, graceSeconds * 1000)))
    await Promise.race([Promise.allSettled([...this.running]), grace])
    clearTimeout(timer)
    for (const abort of this.active.values()) abort.abort(new Draining('drain'))
    await Promise.allSettled([...this.running])
    clearInterval(this.beating)
    clearInterval(this.cleaning)
    await this.cleaned
    await this.engines.stop()
    this.listener.off('geodag_task', this.poke).off('reconnected', this.back)
    this.listener.off('geodag_cancel', this.cancel)
  }

  private async claimAll(): Promise<void> {
    while (!this.ending) {
      this.turned = Date.now()
      this.woken = false
      const task = await this.claim()
      if (task) this.launch(task)
      else await this.sleep()
    }
  }

  private async claim(): Promise<TaskRow | undefined> {
    if (this.running.size >= this.deps.config.RUNNER_CONCURRENCY) return undefined
    const engines = await this.engines.claims()
    if (engines === 'none') return undefined
    const own = [...this.active.keys()].map((task) => task.id)
    return this.deps.recorder.claim(own, engines).catch(() => undefined)
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
    this.metrics.running(this.active.size)
    const done = this.trace(task, abort.signal)
      .catch((err) => log.error({ ...idsOf(task), err }, 'the task is left to another try'))
      .finally(() => {
        this.active.delete(task)
        this.metrics.running(this.active.size)
        this.running.delete(done)
        this.poke()
      })
    this.running.add(done)
  }

  /** The try of a task as a span that goes on from the request which made its inference. */
  private async trace(task: TaskRow, signal: AbortSignal): Promise<void> {
    const ids = idsOf(task)
    log.debug(ids, 'task claimed')
    if (!traced()) return this.run(task, signal)
    const row = await this.deps.db
      .selectFrom('inf_inference')
      .select('traceparent')
      .where('id', '=', task.inference_id)
      .executeTakeFirst()
      .catch(() => undefined)
    const attributes = {
      ...{ 'geodag.inference': ids.inference, 'geodag.task': ids.task },
      ...{ 'geodag.runner': ids.runner ?? '', 'geodag.attempt': ids.attempt },
    }
    const name = task.planning ? 'task planning' : 'task'
    const parent = contextOf(row?.traceparent)
    return inSpan('task', { name, attributes, parent }, () => this.run(task, signal))
  }

  private async run(task: TaskRow, signal: AbortSignal): Promise<void> {
    const { recorder } = this.deps
    try {
      if (task.deaths > this.deps.config.MAX_DEATHS) {
        const why = killsItsRunner(task.deaths)
        const step = task.pipeline_steps.find(({ status }) => !TASK_ENDS.includes(status))
        // Before it ends: a runner that is killed between the two has not lost why.
        if (step)
          await hear(this.deps.db, task.task_id, step.process_id, `${why.code}: ${why.message}\n`)
        await recorder.failed(task, 0, why)
        await keepHeard(this.deps, task, ['FAILED'])
      } else if (task.planning) await this.plan(task, signal)
      else await runTask(this.deps, task, signal)
    } catch (error) {
      if (error instanceof LostLease) return this.leave(task)
      if (error instanceof Draining) return persist(() => recorder.release(task))
      throw error // the lease ends, and another runner goes on
    }
  }

  /** What this runner heard of a step that was stopped is its log; of a deleted inference all goes. */
  private async leave(task: TaskRow): Promise<void> {
    const row = await this.deps.db
      .selectFrom('inf_inference')
      .select('deleted')
      .where('id', '=', task.inference_id)
      .executeTakeFirst()
    if (row?.deleted) await purge(this.deps, task.inference_id)
    else await keepHeard(this.deps, task, ['STOPPED'])
  }

  private async plan(task: TaskRow, signal: AbortSignal): Promise<void> {
    const { recorder } = this.deps
    await recorder.started(task, 0, 'Planning inference tasks ..')
    const { process_id } = task.pipeline_steps[0]!
    const key = logKey(task.inference_id, task.task_id, process_id)
    const keep = async (text: string, code: number) => {
      const whole = `Task ID: ${task.task_id}\n${text}\nReturn code: ${code}\n`
      // Where the store is away the database keeps it, and it is moved later.
      await this.deps.store
        .put(key, whole)
        .catch(() => hear(this.deps.db, task.task_id, process_id, whole))
    }
    try {
      const attributes = { 'geodag.task': task.task_id, 'geodag.step': process_id }
      await inSpan('step', { name: `step ${process_id}`, attributes }, () =>
        planTask(this.deps, task, (text) => keep(text, 0), signal),
      )
    } catch (error) {
      if (error instanceof LostLease) throw error
      if (error instanceof NotListed) return void (await recorder.postpone(task, 0, error.message))
      if (error instanceof StoreError && error.passes)
        return void (await recorder.postpone(task, 0, `${error.code}: ${error.message}`))
      const message = String((error as Error).message)
      await keep(message, 1)
      if (error instanceof CataloguePasses) {
        const passing = { code: error.code, message: message.slice(error.code.length + 2) }
        if (await recorder.retry(task, 0, passing)) return
      }
      if (error instanceof PlanError)
        return void (await recorder.failed(task, 0, {
          code: error.code,
          message: message.slice(error.code.length + 2),
        }))
      if (error instanceof StoreError)
        return void (await recorder.failed(task, 0, { code: error.code, message }))
      if (isPassing(error)) throw error // Postgres is away: the lease ends, and it is planned again
      const failure = { code: 'plan.failed', message: message.slice(0, 500) }
      if (!(await recorder.retry(task, 0, failure))) await recorder.failed(task, 0, failure)
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
