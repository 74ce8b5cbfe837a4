import { log } from '../watch/log.ts'
import { tmpdir } from 'node:os'
import { TRANSIENT } from '../../pipelines/compose.ts'
import type { Config } from '../config.ts'
import { type Db, isPassing } from '../database/database.ts'
import { contractOf, stepNamed } from '../../steps/contracts.ts'
import { StoreError } from '../storage/errors.ts'
import { idsOf, type Recorder, type StepFailure, type TaskRow } from './record.ts'
import { EngineAway, SessionLost } from './session.ts'
import { hear } from './step-logs.ts'

const root = new URL('../..', import.meta.url).pathname.replace(/\/$/, '')

/** A failure of a step's own; ends the session. */
export class StepEnded extends Error {
  readonly failure: StepFailure
  readonly number: number
  /** Whether the step's log is in the store already. */
  readonly logged: boolean
  /** Bytes that the task's earlier steps left in the store. */
  readonly stored: number
  /** Another try may do better, whatever the code. */
  readonly passes: boolean
  constructor(
    number: number,
    failure: StepFailure,
    more: { logged?: boolean; stored?: number; passes?: boolean } = {},
  ) {
    super(failure.message)
    this.number = number
    this.failure = failure
    this.logged = more.logged ?? false
    this.stored = more.stored ?? 0
    this.passes = more.passes ?? false
  }
}

/** Of a task that has taken its runner, its session or its engine along too often. */
export const killsItsRunner = (deaths: number, last?: string): StepFailure => ({
  code: 'task.kills_runner',
  message: `its runner or its Dagger session ended ${deaths} times while this step ran: the step may take more memory than the machine has${last ? `; what was said last: ${last.slice(0, 500)}` : ''}`,
})

/** A failure's text for clients: without the server's own folders, and not endless. */
const told = (error: unknown, config: Config, scratch: string): string =>
  [scratch, config.dataFolder, root, tmpdir()]
    .reduce(
      (text, path) => text.replaceAll(path, '<server>'),
      String((error as Error).message ?? error),
    )
    .slice(0, 2000)

/** Whether a step does its work outside, and may be done twice. */
const hasEffect = (process_id: string): boolean => {
  const step = stepNamed(process_id)
  return step !== undefined && contractOf(step).effect === true
}

/**
 * Records how a try ended otherwise than well. Only the step's own failure counts as a try; what
 * befell the engine, its session or the store is nobody's, and a session's death is bounded.
 *
 * @throws the error itself where Postgres is away: the lease ends, and the task is taken up again
 */
export const settle = async (
  deps: { readonly db: Db; readonly recorder: Recorder; readonly config: Config },
  row: TaskRow,
  /** The step that could not go on. */
  number: number,
  error: unknown,
  scratch: string,
): Promise<void> => {
  const { recorder, config } = deps
  const fail = async (failure: StepFailure, logged = false) => {
    // First its log, then its end: a runner that is killed between the two has lost neither.
    const step = row.pipeline_steps[number]?.process_id
    if (step && !logged)
      await hear(deps.db, row.task_id, step, `${failure.code}: ${failure.message}\n`)
    await recorder.failed(row, number, failure, error instanceof StepEnded ? error.stored : 0)
  }
  const message = told(error, config, scratch)
  if (error instanceof EngineAway || (error instanceof StoreError && error.passes)) {
    const why = error instanceof StoreError ? `${error.code}: ${message}` : message
    log.warn(idsOf(row), `${why}; the task waits`)
    await recorder.postpone(row, number, why)
    return
  }
  if (error instanceof SessionLost) {
    if (await recorder.bereft(row, number, { code: 'engine.failed', message })) return
    await fail(killsItsRunner(config.MAX_DEATHS, message))
    return
  }
  const own = error instanceof StepEnded || error instanceof StoreError
  if (!own && isPassing(error)) throw error
  const code =
    error instanceof StepEnded
      ? error.failure.code
      : error instanceof StoreError
        ? error.code
        : 'engine.failed'
  const failure = { code, message }
  // No user's code ran in it: a container that was killed in the middle completes what it began.
  const step = row.pipeline_steps[number]?.process_id
  const killed = code === 'step.crashed' && step !== undefined && hasEffect(step)
  const passes = TRANSIENT.has(code) || killed || (error instanceof StepEnded && error.passes)
  if (passes && (await recorder.retry(row, number, failure))) return
  await fail(failure, error instanceof StepEnded && error.logged)
}
