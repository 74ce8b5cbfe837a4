import { Writable } from 'node:stream'
import { type Client, connect } from '@dagger.io/dagger'
import { engineAnswered } from '../watch/engine.ts'

/** The engine did not answer: nothing was tried, so nothing failed but the time. */
export class EngineAway extends Error {}

/** The session, or the engine under it, ended while it worked: the step itself did not fail. */
export class SessionLost extends Error {}

/** Seconds that the closing of a session may take before its runner goes on without it. */
const CLOSE_SECONDS = 30

/** Rejects with the signal's reason. */
export const aborted = (signal: AbortSignal): Promise<never> => {
  const ended = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  ended.catch(() => undefined)
  return ended
}

/**
 * Runs `work` in a Dagger session of its own; when `signal` aborts, the session is closed and the
 * engine ends its containers.
 *
 * @throws EngineAway when no engine answered within `seconds`: the SDK itself would wait 300 s
 */
export const inSession = async (
  log: Writable,
  signal: AbortSignal,
  seconds: number,
  work: (dag: Client) => Promise<void>,
): Promise<void> => {
  const late = new AbortController()
  const given = AbortSignal.any([signal, late.signal])
  const stopped = aborted(given)
  const silent = () => {
    engineAnswered(false)
    late.abort(new EngineAway(`no Dagger engine answers in ${seconds} s`))
  }
  const timer = setTimeout(silent, seconds * 1000)
  let result: Promise<void> | undefined
  let linger: () => void = () => undefined
  const lingered = new Promise<void>((done) => (linger = done))
  const session = connect(
    async (dag) => {
      clearTimeout(timer)
      engineAnswered(true)
      // An engine that answers when its task was given up already must not run it.
      if (given.aborted) return
      result = Promise.race([work(dag), stopped])
      await result.catch(() => undefined)
      setTimeout(linger, CLOSE_SECONDS * 1000).unref()
    },
    { LogOutput: log },
  ).catch((error: unknown) => {
    if (!result) throw new EngineAway(`no Dagger engine: ${String((error as Error).message)}`)
  })
  try {
    // A cancel does not wait for an engine that is silent; for one that answered, its containers.
    await Promise.race([session, lingered, stopped])
  } catch (error) {
    if (!result) throw error
    await Promise.race([session, lingered])
  } finally {
    clearTimeout(timer)
  }
  // Whether the engine is there still is not known: the next session shows it.
  await result?.catch((error: unknown) => {
    if (error instanceof SessionLost) engineAnswered(false)
    throw error
  })
}

/** Opens a session for nothing but the engine's answer, which `engineReachable` then knows. */
export const askEngine = async (signal: AbortSignal, seconds: number): Promise<boolean> => {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  return inSession(nowhere, signal, seconds, async (dag) => void (await dag.version())).then(
    () => true,
    () => false,
  )
}
