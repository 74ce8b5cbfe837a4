import { Writable } from 'node:stream'
import type { Db } from '../database/database.ts'
import { forgetHeard, hear } from './step-logs.ts'

const LARGEST = 10 * 1024 * 1024
const ANSI = /\u001b\[[0-9;]*m/g
/** A line of a program in the engine's plain progress: `14 : ┆ [1.2s] | text`. */
const LINE = /^\d+\s*:\s(?:┆ )*\[\d+(?:\.\d+)?m?s?[^\]]*\] \| (.*)$/
const NOISE = /^(cloud url=|client |engine |.*server=unix:)/

/** Program lines of a piece of the engine's plain progress. */
export const programLines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => LINE.exec(line.replaceAll(ANSI, ''))?.[1])
    .filter((line): line is string => line !== undefined && !NOISE.test(line))

/** Takes a session's progress and keeps the running step's own lines in Postgres, twice a second. */
export class LiveLog extends Writable {
  private step: string | undefined
  private waiting = ''
  private rest = ''
  private kept = 0
  private flushing: Promise<void> = Promise.resolve()
  private readonly timer: NodeJS.Timeout
  private readonly db: Db
  private readonly task: string

  constructor(db: Db, task: string) {
    super()
    this.db = db
    this.task = task
    this.timer = setInterval(() => void this.flush(), 500)
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const lines = (this.rest + chunk.toString()).split('\n')
    this.rest = lines.pop() ?? ''
    if (this.step)
      for (const line of programLines(lines.join('\n'))) {
        if (this.kept < LARGEST) this.waiting += `${line}\n`
        this.kept += line.length + 1
      }
    done()
  }

  /** A line of the runner's own, among those of the program. */
  say(text: string): void {
    if (this.step) this.waiting += text
  }

  async begin(step: string): Promise<void> {
    await this.flush()
    await this.forget(step)
    this.step = step
    this.kept = 0
    this.waiting = ''
  }

  /** What was seen live; the step's own log replaces it. */
  async endStep(): Promise<void> {
    await this.flush()
    this.step = undefined
  }

  forget(step: string): Promise<unknown> {
    return forgetHeard(this.db, this.task, step).catch(() => undefined)
  }

  private flush(): Promise<void> {
    const text = this.waiting.replaceAll('\0', '')
    const process_id = this.step
    this.waiting = ''
    if (text && process_id)
      this.flushing = this.flushing.then(() =>
        // a live line lost while Postgres is away; the whole log follows
        hear(this.db, this.task, process_id, text),
      )
    return this.flushing
  }

  async close(): Promise<void> {
    clearInterval(this.timer)
    await this.flush()
  }
}
