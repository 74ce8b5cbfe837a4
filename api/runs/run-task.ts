import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client, Directory } from '@dagger.io/dagger'
import { composeTask, engineIsGone, type StepEnd } from '../../pipelines/compose.ts'
import type { StepReport } from '../../pipelines/manifest.ts'
import type { PlannedStep } from '../../pipelines/plan.ts'
import { CataloguePasses, type Catalogues } from '../../pipelines/catalogues.ts'
import { PlanError } from '../../pipelines/errors.ts'
import type { StepResult } from '../../steps/contract.ts'
import { contractOf } from '../../steps/contracts.ts'
import type { StepEnvironment } from '../../steps/step.ts'
import type { Config } from '../config.ts'
import type { Db, WireStep } from '../database/database.ts'
import { StoreError } from '../storage/errors.ts'
import { NotServed, type Store } from '../storage/store.ts'
import { logKey } from '../storage/keys.ts'
import { LiveLog } from './live-log.ts'
import { environmentOf } from './environment.ts'
import { readTaskConfig, type TaskConfig } from './task-config.ts'
import { idsOf, LostLease, type Recorder, type TaskRow } from './record.ts'
import { makeScratch } from './scratch.ts'
import { aborted, inSession, SessionLost } from './session.ts'
import { handedOver, serverAccess } from './server-access.ts'
import { settle, StepEnded } from './settle.ts'
import { stepKeys } from '../seen/keys.ts'
import { rememberRun } from '../seen/runs.ts'
import { alwaysRuns } from '../seen/seen.ts'
import { log } from '../watch/log.ts'
import { inSpan, spanFailed } from '../watch/tracing.ts'
import type { RunMetrics } from '../watch/run-metrics.ts'
import { heardOf, keepHeard, wholeLog } from './step-logs.ts'

export interface RunDeps {
  /** What plans by place are searched in */
  readonly catalogue: Catalogues
  readonly db: Db
  readonly config: Config
  readonly store: Store
  readonly recorder: Recorder
  readonly metrics: RunMetrics
}

/** A scene of our own store, into a folder of this process. @throws StepEnded */
const fetchScene = async (store: Store, url: string, path: string): Promise<void> => {
  try {
    await store.download(url, path)
  } catch (error) {
    if (!(error instanceof NotServed)) throw error
    throw new StepEnded(0, {
      code: 'source.status',
      message: `the scene's URL answers ${error.status}: upload the file, or ask for a new URL (they end after 8 hours)`,
    })
  }
}

/** Files of the model out of our own store, under their names below models/. */
const fetchKept = async (
  store: Store,
  kept: Readonly<Record<string, string>>,
  folder: string,
): Promise<void> => {
  await mkdir(folder, { recursive: true })
  for (const [name, key] of Object.entries(kept)) await store.getFile(key, join(folder, name))
}

/** Puts what a task made into the object store. @returns its bytes */
const upload = async (
  store: Store,
  made: Directory,
  prefix: string,
  scratch: string,
): Promise<number> => {
  const folder = join(scratch, 'made')
  await made.withoutFile('valid.tif').export(folder, { wipe: true })
  let bytes = 0
  for (const name of await readdir(folder)) {
    await store.putFile(`${prefix}/${name}`, join(folder, name))
    bytes += (await stat(join(folder, name))).size
  }
  return bytes
}

/** What of a finished step's report clients can read on the step. */
const kept = ({ status, details, artifacts }: StepReport): Partial<WireStep> => ({
  ...(status === 'SKIPPED' ? { message: `skipped: ${String(details.reason)}` } : {}),
  ...(details.note === undefined ? {} : { message: String(details.note) }),
  ...(details.result === undefined ? {} : { result: details.result }),
  ...(details.statistics === undefined ? {} : { statistics: details.statistics }),
  ...(Object.keys(artifacts).length ? { artifacts } : {}),
})

/** One try of one task, in one Dagger session; every step's start and end is recorded as it happens. */
class Try {
  private readonly deps: RunDeps
  private readonly row: TaskRow
  private readonly planned: TaskConfig
  private readonly log: LiveLog
  private readonly scratch: string
  private readonly abort: (why: Error) => void
  private readonly signal: AbortSignal
  private timer: NodeJS.Timeout | undefined
  /** [west, south, east, north] of the scene, EPSG:4326; from the step that fetched it. */
  private bbox: unknown
  private keys: Buffer[] | undefined
  /** The step that cannot go on when the task fails. */
  current: number

  constructor(
    deps: RunDeps,
    row: TaskRow,
    planned: TaskConfig,
    log: LiveLog,
    scratch: string,
    abort: (why: Error) => void,
    signal: AbortSignal,
  ) {
    this.deps = deps
    this.row = row
    this.planned = planned
    this.log = log
    this.scratch = scratch
    this.abort = abort
    this.signal = signal
    const open = row.pipeline_steps.findIndex((step) => step.status !== 'FINISHED')
    this.current = Math.max(0, open)
  }

  private wire(step: PlannedStep) {
    return this.row.pipeline_steps[step.step_number]!
  }

  async started(step: PlannedStep): Promise<boolean> {
    const { status, process_id } = this.wire(step)
    const { effect, message } = contractOf(step.process_id)
    const done = status === 'FINISHED'
    // A finished step that runs again, for another, leaves the failure to that other.
    if (!done) this.current = step.step_number
    if (done && effect) return false
    const seconds = this.deps.config.STEP_TIMEOUT_SECONDS
    const failure = {
      code: 'step.timeout',
      message: `${process_id} took longer than ${seconds} s and was stopped`,
    }
    this.timer = setTimeout(
      () => this.abort(new StepEnded(step.step_number, failure)),
      seconds * 1000,
    )
    if (done) return true
    await this.log.begin(process_id)
    await this.deps.recorder.started(this.row, step.step_number, message)
    return true
  }

  async ended(step: PlannedStep, end: StepEnd): Promise<void> {
    clearTimeout(this.timer)
    // Stopped from outside: that the session then fails is no news, and what was heard live is the log.
    if (this.signal.aborted) throw this.signal.reason
    const { report } = end
    const { process_id, status } = this.wire(step)
    this.seen(report)
    this.bbox ??= report.details.bbox
    if (report.status === 'FAILED') {
      const { code, message } = report.error!
      if (code === 'engine.failed') throw new SessionLost(message)
      const again = status === 'FINISHED' ? `${process_id}, run again for this step: ` : ''
      const kept = this.row.pipeline_steps[this.current]!.process_id
      await this.keepLog(kept, end, 1)
      const stored = again
        ? 0
        : await upload(this.deps.store, end.made, this.prefix, this.scratch).catch(() => 0)
      await this.log.forget(kept)
      const failure = { code, message: again + message }
      throw new StepEnded(step.step_number, failure, { logged: true, stored })
    }
    if (status === 'FINISHED') return
    await this.keepLog(process_id, end, 0)
    const last = step.step_number === this.planned.task.steps.length - 1
    const stored = last ? await upload(this.deps.store, end.made, this.prefix, this.scratch) : 0
    const layers = (report.details.predicted_layers ?? []) as unknown[]
    await this.deps.recorder.finished(this.row, step.step_number, kept(report), {
      stored,
      ...(layers.length
        ? { layers: { predicted_layers: layers, bboxes: this.boxes(report) } }
        : {}),
    })
    await this.log.forget(process_id)
    await this.remember(step)
  }

  /** For dry runs to come; lost, it is no failure. */
  private async remember(step: PlannedStep): Promise<void> {
    if (alwaysRuns(step)) return
    const { db, store, config } = this.deps
    try {
      this.keys ??= await stepKeys(store, this.planned)
      const key = this.keys[step.step_number]!
      await rememberRun(db, { key, inference: this.row.inference_id, engine: config.engineId })
    } catch (err) {
      log.debug({ ...idsOf(this.row), err }, 'that the step ran is not kept')
    }
  }

  /** The step as a span; requests to the engine carry it, so that the engine's own spans are below. */
  around<T extends { readonly result: StepResult }>(
    { process_id }: PlannedStep,
    work: () => Promise<T>,
  ): Promise<T> {
    const { inference_id, task_id } = this.row
    const attributes = {
      ...{ 'geodag.inference': inference_id, 'geodag.task': task_id },
      ...{ 'geodag.step': process_id, 'geodag.model': this.planned.model },
    }
    return inSpan('step', { name: `step ${process_id}`, attributes }, async (span) => {
      const done = await Promise.race([work(), aborted(this.signal)])
      span.setAttribute('geodag.status', done.result.status)
      if (done.result.error) spanFailed(span, done.result.error.code)
      return done
    })
  }

  private seen({ process_id, wall_seconds, ...report }: StepReport): void {
    const { model } = this.planned
    this.deps.metrics.step({ ...report, step: process_id, model, seconds: wall_seconds })
    const { status, cached, error } = report
    const ids = { ...idsOf(this.row), step: process_id, model, status, cached }
    log.info(
      { ...ids, seconds: wall_seconds, ...(error ? { code: error.code } : {}) },
      `${process_id} ${status}`,
    )
  }

  stop(): void {
    clearTimeout(this.timer)
  }

  /** The scene's, or those of the layers where the task had no raster. */
  private boxes({ details }: StepReport): unknown[] {
    if (Array.isArray(this.bbox)) return [this.bbox]
    return Array.isArray(details.bboxes) ? details.bboxes : []
  }

  private get prefix(): string {
    return `${this.row.inference_id}/${this.row.task_id}`
  }

  private async keepLog(process_id: string, end: StepEnd, code: number): Promise<void> {
    await this.log.endStep()
    const { task_id, inference_id } = this.row
    const text = end.log
      ? await end.log.contents()
      : `${(await heardOf(this.deps.db, task_id, process_id)) ?? ''}${end.report.error?.message ?? ''}`
    const whole = wholeLog(task_id, process_id, text, code)
    await this.deps.store.put(logKey(inference_id, task_id, process_id), whole)
  }
}

/** Tokens and signed URLs for what the task reads; made at each try, for they end. @throws StepEnded */
const accessOf = async (
  catalogue: Catalogues,
  { task }: TaskConfig,
): Promise<string | undefined> => {
  try {
    return await catalogue.access([task])
  } catch (error) {
    if (!(error instanceof PlanError)) throw error
    const { code, message } = error
    const failure = { code, message: message.slice(code.length + 2) }
    throw new StepEnded(0, failure, { passes: error instanceof CataloguePasses })
  }
}

/** Runs a claimed task to its end, or to the point where another try is due. */
export const runTask = async (deps: RunDeps, row: TaskRow, outer: AbortSignal): Promise<void> => {
  const planned = await readTaskConfig(deps.db, row)
  const scratch = await makeScratch()
  const log = new LiveLog(deps.db, row.task_id)
  const own = new AbortController()
  const signal = AbortSignal.any([outer, own.signal])
  const tried = new Try(deps, row, planned, log, scratch, (why) => own.abort(why), signal)
  try {
    for (const [file, url] of Object.entries(planned.fetch ?? {}))
      await fetchScene(deps.store, url, join(scratch, file))
    const models = join(scratch, 'models')
    if (planned.kept) await fetchKept(deps.store, planned.kept, models)
    const access = await accessOf(deps.catalogue, planned)
    const lent = handedOver(row.inference_id, row.task_id)
    const server = await serverAccess(deps, planned.task, lent)
    await inSession(log, signal, deps.config.ENGINE_TIMEOUT_SECONDS, async (dag) => {
      const host = dag.host()
      const own = planned.kept ? host.directory(models) : undefined
      const key = `${row.inference_id}/${row.task_id}`
      const env = environmentOf(dag, deps.config, key, { models: own, access, server })
      const inputs = planned.fetch
        ? host.directory(scratch, { include: Object.keys(planned.fetch) })
        : dag.directory()
      const composed = composeTask(env, planned.task, inputs, new Date().toISOString(), tried)
      await composed.catch(async (error: Error) => {
        const kinds = [StepEnded, LostLease, StoreError, SessionLost]
        const known = kinds.some((kind) => error instanceof kind)
        if (known || signal.aborted || !(await engineIsGone(dag, error.message))) throw error
        throw new SessionLost(error.message)
      })
    })
    if (server) await deps.store.removeBelow(lent).catch(() => undefined)
  } catch (error) {
    if (outer.aborted) throw outer.reason
    if (error instanceof LostLease) throw error
    await log.close()
    await settle(deps, row, tried.current, error, scratch)
    await keepHeard(deps, row, ['FAILED', 'STOPPED'])
  } finally {
    tried.stop()
    await log.close()
    await rm(scratch, { recursive: true, force: true }).catch(() => undefined)
  }
}
