import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client, Directory, File } from '@dagger.io/dagger'
import { composeTask, type StepEnd, TRANSIENT } from '../../pipelines/compose.ts'
import type { StepReport } from '../../pipelines/manifest.ts'
import type { PlannedStep } from '../../pipelines/plan.ts'
import { contractOf } from '../../steps/contracts.ts'
import type { StepEnvironment } from '../../steps/step.ts'
import type { Config } from '../config.ts'
import type { Db, WireStep } from '../database/database.ts'
import { NotServed, type Store } from '../storage/store.ts'
import { logKey } from '../tasks/log.ts'
import { LiveLog } from './live-log.ts'
import { geoserverOf, type TaskConfig } from './plan-task.ts'
import { LostLease, type Recorder, type StepFailure, type TaskRow } from './record.ts'
import { EngineAway, inSession } from './session.ts'

const root = new URL('../..', import.meta.url).pathname

/** A failure that was recorded already, or is to be: ends the session. */
class StepEnded extends Error {
  readonly failure: StepFailure
  readonly number: number
  constructor(number: number, failure: StepFailure) {
    super(failure.message)
    this.number = number
    this.failure = failure
  }
}

export interface RunDeps {
  readonly db: Db
  readonly config: Config
  readonly store: Store
  readonly recorder: Recorder
}

/** A scene of our own store, into a folder of this process. @throws StepEnded */
const fetchScene = async (store: Store, url: string, path: string): Promise<void> => {
  try {
    await store.download(url, path)
  } catch (error) {
    throw new StepEnded(
      0,
      error instanceof NotServed
        ? {
            code: 'source.status',
            message: `the scene's URL answers ${error.status}: upload the file, or ask for a new URL (they end after 8 hours)`,
          }
        : { code: 'source.unreachable', message: 'the object store does not answer' },
    )
  }
}

const assetsOf = (dag: Client): Directory =>
  dag.host().directory(root, {
    include: ['steps/*/program/**', 'containers/**', 'models/**', 'examples/**'],
    exclude: ['**/__pycache__'],
  })

const environment = (
  dag: Client,
  config: Config,
  key: string,
  weights: File | undefined,
): StepEnvironment => {
  const assets = assetsOf(dag)
  const { local } = geoserverOf(config)
  const secrets = config.GEOSERVER_PASSWORD
    ? {
        geoserverUsername: dag.setSecret('geoserver-username', config.GEOSERVER_USERNAME),
        geoserverPassword: dag.setSecret('geoserver-password', config.GEOSERVER_PASSWORD),
      }
    : {}
  const services = local
    ? { services: { geoserver: dag.host().service([{ frontend: local, backend: local }]) } }
    : {}
  return {
    dag,
    assets: weights ? assets.withFile('models/weights.onnx', weights) : assets,
    runKey: key,
    secrets: { ...secrets },
    ...services,
  }
}

/** Puts what a task made into the object store. */
const upload = async (
  store: Store,
  made: Directory,
  prefix: string,
  scratch: string,
): Promise<void> => {
  const folder = join(scratch, 'made')
  await made.withoutFile('valid.tif').export(folder, { wipe: true })
  for (const name of await readdir(folder))
    await store.putFile(`${prefix}/${name}`, join(folder, name))
}

/** What of a finished step's report clients can read on the step. */
const kept = ({ status, details, artifacts }: StepReport): Partial<WireStep> => ({
  ...(status === 'SKIPPED' ? { message: `skipped: ${String(details.reason)}` } : {}),
  ...(details.note === undefined ? {} : { message: String(details.note) }),
  ...(details.result === undefined ? {} : { result: details.result }),
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
  current = 0

  constructor(
    deps: RunDeps,
    row: TaskRow,
    log: LiveLog,
    scratch: string,
    abort: (why: Error) => void,
    signal: AbortSignal,
  ) {
    this.deps = deps
    this.row = row
    this.planned = row.config as unknown as TaskConfig
    this.log = log
    this.scratch = scratch
    this.abort = abort
    this.signal = signal
  }

  private wire(step: PlannedStep) {
    return this.row.pipeline_steps[step.step_number]!
  }

  async started(step: PlannedStep): Promise<boolean> {
    this.current = step.step_number
    const { status, process_id } = this.wire(step)
    const { effect, message } = contractOf(step.process_id)
    const done = status === 'FINISHED'
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
    this.bbox ??= report.details.bbox
    if (report.status === 'FAILED') {
      await this.keepLog(process_id, end, 1)
      await upload(this.deps.store, end.made, this.prefix, this.scratch).catch(() => undefined)
      if (end.log) await this.log.forget(process_id)
      throw new StepEnded(step.step_number, report.error!)
    }
    if (status === 'FINISHED') return
    await this.keepLog(process_id, end, 0)
    if (step.step_number === this.planned.task.steps.length - 1)
      await upload(this.deps.store, end.made, this.prefix, this.scratch)
    const layers = (report.details.predicted_layers ?? []) as unknown[]
    await this.deps.recorder.finished(
      this.row,
      step.step_number,
      kept(report),
      layers.length ? { layers: { predicted_layers: layers, bboxes: this.boxes } } : {},
    )
    await this.log.forget(process_id)
  }

  stop(): void {
    clearTimeout(this.timer)
  }

  private get boxes(): unknown[] {
    return Array.isArray(this.bbox) ? [this.bbox] : []
  }

  private get prefix(): string {
    return `${this.row.inference_id}/${this.row.task_id}`
  }

  private async keepLog(process_id: string, end: StepEnd, code: number): Promise<void> {
    await this.log.endStep()
    const text = end.log ? await end.log.contents() : (end.report.error?.message ?? '')
    const head = `----------------INVOKING TASK----------------\nTask ID: ${this.row.task_id}\n`
    const command = text.startsWith('Command: ') ? '' : `Command: ${process_id}\n`
    const whole = `${head}${command}${text.replace(/\n?$/, '\n')}Return code: ${code}\n`
    await this.deps.store.put(logKey(this.row.inference_id, this.row.task_id, process_id), whole)
  }
}

/** Runs a claimed task to its end, or to the point where another try is due. */
export const runTask = async (deps: RunDeps, row: TaskRow, outer: AbortSignal): Promise<void> => {
  const planned = row.config as unknown as TaskConfig
  const scratch = await mkdtemp(join(tmpdir(), 'geodag-run-'))
  const log = new LiveLog(deps.db, row.task_id)
  const own = new AbortController()
  const signal = AbortSignal.any([outer, own.signal])
  const tried = new Try(deps, row, log, scratch, (why) => own.abort(why), signal)
  try {
    for (const [file, url] of Object.entries(planned.fetch ?? {}))
      await fetchScene(deps.store, url, join(scratch, file))
    const weights = join(scratch, 'weights.onnx')
    if (planned.weights) await deps.store.getFile(planned.weights, weights)
    await inSession(log, signal, deps.config.ENGINE_TIMEOUT_SECONDS, async (dag) => {
      const host = dag.host()
      const own = planned.weights ? host.file(weights) : undefined
      const env = environment(dag, deps.config, `${row.inference_id}/${row.task_id}`, own)
      const inputs = planned.fetch
        ? host.directory(scratch, { include: Object.keys(planned.fetch) })
        : dag.directory()
      await composeTask(env, planned.task, inputs, new Date().toISOString(), tried)
    })
  } catch (error) {
    if (outer.aborted) throw outer.reason
    if (error instanceof LostLease) throw error
    if (error instanceof EngineAway) {
      console.error(`task ${row.task_id}: ${error.message}; it waits`)
      return void (await deps.recorder.postpone(row, tried.current, error.message))
    }
    const failure =
      error instanceof StepEnded
        ? error.failure
        : {
            code: 'engine.failed',
            message: String((error as Error).message ?? error).slice(0, 500),
          }
    const number = error instanceof StepEnded ? error.number : tried.current
    const passes = TRANSIENT.has(failure.code) || !(error instanceof StepEnded)
    if (passes && (await deps.recorder.retry(row, number, failure))) return
    await deps.recorder.failed(row, number, failure)
  } finally {
    tried.stop()
    await log.close()
    await rm(scratch, { recursive: true, force: true })
  }
}
