import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import { engineReachable, socketTakes } from '../watch/engine.ts'
import { type Engines, heartbeat } from './engines.ts'
import { askEngine } from './session.ts'

/** The command line goes on trying all this time. */
const ASK_SECONDS = 240

/** Keeps this runner's engine among those that answer, and knows the others. */
export class EngineWatch {
  private readonly db: Db
  private readonly config: Config
  private readonly runner: string
  private live: readonly string[] = []
  private timer: NodeJS.Timeout | undefined
  private beating: Promise<void> = Promise.resolve()
  private asking: Promise<void> | undefined
  private readonly ending = new AbortController()

  constructor(db: Db, config: Config, runner: string) {
    this.db = db
    this.config = config
    this.runner = runner
  }

  async start(): Promise<void> {
    this.timer = setInterval(() => void this.beat(), (this.config.LEASE_SECONDS * 1000) / 3)
    await this.beat()
  }

  async stop(): Promise<void> {
    clearInterval(this.timer)
    this.ending.abort(new Error('the runner ends'))
    await this.asking
    await this.beating
    await this.say(false).catch(() => undefined)
  }

  /**
   * Whose tasks may be claimed now: `undefined` where one engine serves them all, `'none'` where
   * only others answer, so that their runners take what this one would only put back.
   */
  async claims(): Promise<Engines | 'none' | undefined> {
    const { engineId: own, AFFINITY_SECONDS: patience } = this.config
    if (!this.live.some((id) => id !== own)) return undefined
    if (!(await this.reachable())) {
      if (this.live.includes(own)) await this.beat()
      return this.live.length ? 'none' : undefined
    }
    return { own, live: this.live, patience }
  }

  private reachable(): Promise<boolean> {
    return engineReachable(this.config._EXPERIMENTAL_DAGGER_RUNNER_HOST)
  }

  private beat(): Promise<void> {
    // A database that is away: what was known stays, for nothing can be claimed meanwhile.
    return (this.beating = this.beating
      .then(async () => {
        const answers = await this.reachable()
        await this.say(answers)
        if (!answers && (await socketTakes(this.config._EXPERIMENTAL_DAGGER_RUNNER_HOST)))
          this.ask()
      })
      .catch(() => undefined))
  }

  /** That an engine is back only a session shows, and without an engine no task opens one. */
  private ask(): void {
    if (this.asking || this.ending.signal.aborted) return
    this.asking = askEngine(this.ending.signal, ASK_SECONDS).then((answers) => {
      this.asking = undefined
      if (answers) void this.beat()
    })
  }

  private async say(answers: boolean): Promise<void> {
    const { engineId, LEASE_SECONDS: seconds } = this.config
    this.live = await heartbeat(this.db, engineId, this.runner, { answers, seconds })
  }
}
