import { HttpError } from './errors.ts'

/** Bytes from which a body, or what is kept of one, is worked on alone. */
export const LARGE = 128 * 1024
const MOST_WAITING = 50
const RETRY_SECONDS = 5

/** Lets other requests be answered before this one goes on. */
export const breathe = (): Promise<void> => new Promise((done) => setImmediate(done))

/**
 * Large requests one after another: of many that come at once each holds the process only for a
 * moment, and small ones are answered between them.
 */
export class Turns {
  private busy = false
  private readonly waiting: (() => void)[] = []

  /** @throws HttpError 429 `request.too_many_large` where too many wait */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.busy) await this.wait()
    this.busy = true
    try {
      await breathe()
      return await work()
    } finally {
      await breathe()
      const next = this.waiting.shift()
      if (next) next()
      else this.busy = false
    }
  }

  private wait(): Promise<void> {
    if (this.waiting.length >= MOST_WAITING)
      throw new HttpError(
        429,
        [{ type: 'request.too_many_large', msg: 'Many large requests wait: send it again later.' }],
        { 'Retry-After': String(RETRY_SECONDS) },
      )
    return new Promise((turn) => this.waiting.push(turn))
  }
}
/** Of this process. */
export const largeTurns = new Turns()

/** Large bodies of one user are read one after another; of several users side by side. */
export class TurnsOfUsers {
  private readonly users = new Map<string, { turns: Turns; count: number }>()

  async take<T>(user: string, work: () => Promise<T>): Promise<T> {
    const held = this.users.get(user) ?? { turns: new Turns(), count: 0 }
    this.users.set(user, held)
    held.count += 1
    try {
      return await held.turns.take(work)
    } finally {
      if (--held.count === 0) this.users.delete(user)
    }
  }
}
