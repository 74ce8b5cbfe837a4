import { TRANSIENT } from '../../pipelines/compose.ts'
import { isPassing } from '../database/database.ts'
import { StoreError } from '../storage/errors.ts'
import { EngineAway, SessionLost } from './session.ts'
import { killsItsRunner } from './settle.ts'

/** The job's own failure: told on the tune. It is tried again only where its code says that it may pass. */
export class Refused extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** How a job goes on after a try that did not end well. */
export type Outcome =
  | { readonly error: { readonly code: string; readonly message: string } }
  | { readonly seconds: number; readonly failures: number; readonly deaths: number }

/** Between two looks whether an engine, a store or Postgres answers again. */
const AWAY_SECONDS = 10

/**
 * Whose account a failure is on: of what was away, nobody's; of a session that ended, nobody's, but
 * bounded; of what may pass, a try of the job's; else it is the job's end.
 */
export const outcomeOf = (
  { failures, deaths }: { readonly failures: number; readonly deaths: number },
  error: unknown,
  limits: {
    readonly MAX_ATTEMPTS: number
    readonly MAX_DEATHS: number
    readonly RETRY_SECONDS: number
  },
): Outcome => {
  const message = String((error as Error).message).slice(0, 2000)
  const away = error instanceof EngineAway || (error instanceof StoreError && error.passes)
  if (away || isPassing(error)) return { seconds: AWAY_SECONDS, failures, deaths }
  if (error instanceof SessionLost)
    return deaths >= limits.MAX_DEATHS
      ? { error: killsItsRunner(deaths, message) }
      : { seconds: limits.RETRY_SECONDS, failures, deaths: deaths + 1 }
  const named = error instanceof Refused || error instanceof StoreError
  const code = named ? error.code : 'engine.failed'
  if (TRANSIENT.has(code) && failures + 1 < limits.MAX_ATTEMPTS)
    return { seconds: limits.RETRY_SECONDS * 2 ** failures, failures: failures + 1, deaths }
  return { error: { code, message } }
}
