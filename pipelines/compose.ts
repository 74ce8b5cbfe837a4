import type { Client, Directory, File } from '@dagger.io/dagger'
import type { Artifacts } from '../steps/artifacts.ts'
import { stepResult, type StepResult } from '../steps/contract.ts'
import { contractOf } from '../steps/contracts.ts'
import { registry } from '../steps/registry.ts'
import type { StepDone, StepEnvironment, StepInput } from '../steps/step.ts'
import { inferenceStatus, type Manifest, type StepReport, type TaskReport } from './manifest.ts'
import type { Plan, PlannedStep, PlannedTask } from './plan.ts'

/** Errors that may pass: a cached failure of these is tried again, never repeated from the cache. */
export const TRANSIENT: ReadonlySet<string> = new Set([
  'source.unreachable',
  'source.timeout',
  'source.unauthorized',
  'source.changed',
  'geoserver.unreachable',
  'geoserver.layer_gone',
  'engine.failed',
  'model.unreachable',
  'model.server_unreachable',
  'model.server_store',
  'processor.unreachable',
])

export interface Composed {
  readonly outputs: Directory
  readonly manifest: Manifest
}

/**
 * What an engine says that lost a layer of its own store, or dropped the work that another session
 * had begun and this one had joined, when that session was killed: no step's program can cause it.
 */
const STORE_LOST =
  /failed to (get|prepare|commit|mount|remove) snapshot|failed to snapshot|content hash xattr|snapshot \S+ (does not exist|not found)|lease \S+ not found|missing descriptor handlers|failed to commit|error committing|context canceled|runc delete container/i

/**
 * What the engine's machine or the network lacked before a program could end: files, memory, space,
 * processes, or a registry that answers. The same work may pass a moment later.
 */
const RAN_SHORT =
  /too many open files|no space left on device|disk quota exceeded|cannot allocate memory|resource temporarily unavailable|input\/output error|connection reset by peer|broken pipe|transport is closing|error reading from server|code = (Unavailable|ResourceExhausted)|TLS handshake timeout|i\/o timeout|no such host|server misbehaving|toomanyrequests|failed to resolve source metadata|unexpected status.{0,200}: (429|5\d\d)/i
/** A program ran to its end: what is said beside it is the program's own. */
const PROGRAM_ENDED = /\bexit code: \d+/

/** Whether the engine itself is gone: then not the step failed, but the session under it. */
export const engineIsGone = async (dag: Client, message: string): Promise<boolean> => {
  if (/shutting down|session is closing/.test(message) || STORE_LOST.test(message)) return true
  if (RAN_SHORT.test(message) && !PROGRAM_ENDED.test(message)) return true
  const silent = new Promise<boolean>((done) => setTimeout(() => done(true), 10_000).unref())
  const asked = dag.version().then(
    () => false,
    () => true,
  )
  return Promise.race([asked, silent])
}

/** What an exec that a step stands on says on stderr before it fails: `code: message`. */
const NAMED = /^((?:model|source|processor)\.[a-z_]+): (.+)$/m

/** A step's result, and whether the step itself left one: then it left a log too. */
interface Ended {
  readonly result: StepResult
  readonly left: boolean
}

const resultOf = async (dag: Client, out: Directory): Promise<Ended> => {
  const started_at = new Date().toISOString()
  try {
    const result = stepResult.parse(JSON.parse(await out.file('result.json').contents()))
    return { result, left: true }
  } catch (error) {
    // The program was killed or the image did not build: there is no result, and that is a result.
    const { message: text, stderr = '' } = error as Error & { stderr?: string }
    const message = String(text).slice(0, 2000)
    const named = NAMED.exec(stderr)
    const failed = named
      ? { code: named[1]!, message: named[2]! }
      : (await engineIsGone(dag, message))
        ? { code: 'engine.failed', message: `the engine went away during the step: ${message}` }
        : { code: 'step.crashed', message: `the step left no result: ${message}` }
    const nothing = { seconds: 0, artifacts: {}, details: {} }
    return { result: { status: 'FAILED', error: failed, started_at, ...nothing }, left: false }
  }
}

const report = (
  step: PlannedStep,
  result: StepResult,
  since: { run: string; clock: number },
  log: string | null,
): StepReport => ({
  process_id: step.process_id,
  step_number: step.step_number,
  status: result.status,
  cached: result.started_at < since.run,
  start_time: result.started_at,
  seconds: result.seconds,
  wall_seconds: Math.round(performance.now() - since.clock) / 1000,
  artifacts: result.artifacts,
  details: result.details,
  error: result.error,
  log,
})

const stopped = ({ process_id, step_number }: PlannedStep): StepReport => ({
  ...{ process_id, step_number, status: 'STOPPED', cached: false, start_time: null, seconds: 0 },
  ...{ wall_seconds: 0, artifacts: {}, details: {}, error: null, log: null },
})

/**
 * Whether a step that said `startedAt` began before we asked for it, by the engine's own clock: ours
 * may be another machine's, and be behind, so that a failure from the cache would look like a new one.
 */
export const beganBefore = (startedAt: string, engineNow: string, waitedMs: number): boolean =>
  Date.parse(startedAt) < Date.parse(engineNow) - waitedMs

const isOld = async (dag: Client, startedAt: string, began: number): Promise<boolean> => {
  try {
    const now = await dag
      .container()
      .from('debian:bookworm-slim')
      .withEnvVariable('ASKED', crypto.randomUUID())
      .withExec(['date', '-u', '+%Y-%m-%dT%H:%M:%S.%3NZ'])
      .stdout()
    return beganBefore(startedAt, now.trim(), performance.now() - began)
  } catch {
    return false // what is wrong with the engine is found by what is asked of it next
  }
}

const runStep = async (
  env: StepEnvironment,
  step: PlannedStep,
  input: StepInput,
  runStart: string,
): Promise<Ended & { out: Directory }> => {
  const implementation = registry[step.process_id]
  const began = performance.now()
  const out = await implementation.out(env, input, step.parameters)
  const ended = await resultOf(env.dag, out)
  const { started_at, error } = ended.result
  const passes = ended.left && TRANSIENT.has(error?.code ?? '')
  if (!passes || !(started_at < runStart || (await isOld(env.dag, started_at, began))))
    return { out, ...ended }
  const fresh = { ...env, runKey: crypto.randomUUID() }
  const again = await implementation.out(fresh, input, step.parameters)
  return { out: again, ...(await resultOf(env.dag, again)) }
}

/** The files that a step read: those of the artifacts that it consumes, of every modality. */
const readBy = (step: PlannedStep, artifacts: Artifacts): Artifacts => {
  const consumed = contractOf(step.process_id).consumes as readonly string[]
  const read = ([key]: [string, string]) => consumed.includes(key.split(':')[0]!)
  return Object.fromEntries(Object.entries(artifacts as Record<string, string>).filter(read))
}

/** What a step left: its report, everything that the task made so far, and its log. */
export interface StepEnd {
  readonly report: StepReport
  readonly made: Directory
  readonly log: File | null
}
/** A tracker of a running task; each call is waited for, and may throw to stop the task. */
export interface TaskHooks {
  /** False: an earlier try did this step's effect already, and it is not done again. */
  started(step: PlannedStep): Promise<boolean>
  ended(step: PlannedStep, end: StepEnd): Promise<void>
  /** Runs the step's own work, for a tracker that has it happen in a context. */
  around?<T extends { readonly result: StepResult }>(
    step: PlannedStep,
    work: () => Promise<T>,
  ): Promise<T>
}
/** Lets the session's progress show what a step prints meanwhile; a log lost is no failure. */
const followLive = (env: StepEnvironment, step: PlannedStep, input: StepInput): void => {
  const live = registry[step.process_id].live?.(env, input, step.parameters)
  live?.then((container) => container?.sync()).catch(() => undefined)
}

const UNTRACKED: TaskHooks = { started: async () => true, ended: async () => undefined }

/** Folds one task over its steps; a failed step stops the task and keeps what was made. */
export const composeTask = async (
  env: StepEnvironment,
  task: PlannedTask,
  inputs: Directory,
  runStart: string,
  hooks: TaskHooks = UNTRACKED,
): Promise<{ files: Directory; logs: Directory; report: TaskReport }> => {
  const folder = task.task_id.slice(task.task_id.lastIndexOf('-') + 1)
  // The scene as it was given is for the step that takes it in: what that delivers has its own name.
  const given = task.files.reduce(
    (folder, name) => folder.withFile(name, inputs.file(name)),
    env.dag.directory(),
  )
  let made = env.dag.directory()
  let logs = env.dag.directory()
  let artifacts: Artifacts = {}
  const reports: StepReport[] = []
  const done: StepDone[] = []
  for (const step of task.steps) {
    if (reports.some((done) => done.status === 'FAILED')) {
      reports.push(stopped(step))
      continue
    }
    if (!(await hooks.started(step))) continue
    const since = { run: runStart, clock: performance.now() }
    const files =
      contractOf(step.process_id).stage === 'input' ? given.withDirectory('.', made) : made
    const input = { files, artifacts, steps: [...done] }
    const work = () => {
      if (hooks !== UNTRACKED) followLive(env, step, input)
      return runStep(env, step, input, runStart)
    }
    const { out, result, left } = await (hooks.around?.(step, work) ?? work())
    const kept = out.withoutFiles(['result.json', 'log.txt'])
    const log = `${folder}-${step.process_id}-stdout.log`
    if (left) {
      made = made.withDirectory('.', kept)
      logs = logs.withFile(log, out.file('log.txt'))
    }
    const inputs = readBy(step, artifacts)
    if (result.status === 'FINISHED')
      done.push({ process_id: step.process_id, inputs, outputs: result.artifacts })
    artifacts = { ...artifacts, ...result.artifacts }
    const ended = report(step, result, since, left ? `${folder}/logs/${log}` : null)
    reports.push(ended)
    await hooks.ended(step, { report: ended, made, log: left ? out.file('log.txt') : null })
  }
  const status = reports.some((step) => step.status === 'FAILED') ? 'FAILED' : 'FINISHED'
  const { task_id, source, date } = task
  return { files: made, logs, report: { task_id, source, date, folder, status, steps: reports } }
}

/**
 * Runs a plan: each task over its steps, at most two tasks at a time.
 *
 * `outputs` holds `manifest.json`, `preview.png` of the first task that has one, and a folder a
 * task with its files and `logs/`. A step's failure is in the manifest, never thrown.
 */
export const compose = async (
  env: StepEnvironment,
  plan: Plan,
  inputs: Directory,
): Promise<Composed> => {
  const runStart = new Date().toISOString()
  const done: Awaited<ReturnType<typeof composeTask>>[] = []
  const queue = plan.tasks.map((task, index) => ({ task, index }))
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const key = `${env.runKey}/${next.task.task_id}`
      done[next.index] = await composeTask({ ...env, runKey: key }, next.task, inputs, runStart)
    }
  }
  await Promise.all([worker(), worker()])
  const tasks = done.map((task) => task.report)
  const manifest: Manifest = {
    inference_id: plan.inference_id,
    model: plan.model,
    status: inferenceStatus(tasks),
    tasks,
  }
  let outputs = env.dag.directory().withNewFile('manifest.json', JSON.stringify(manifest, null, 2))
  for (const { files, logs, report } of done)
    outputs = outputs
      .withDirectory(report.folder, files.withoutFile('valid.tif'))
      .withDirectory(`${report.folder}/logs`, logs)
  const pictured = tasks.find((task) => task.steps.some((step) => step.artifacts.preview))
  if (pictured)
    outputs = outputs.withFile('preview.png', outputs.file(`${pictured.folder}/preview.png`))
  return { outputs, manifest }
}
