import { log } from '../watch/log.ts'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import { keptText } from '../storage/kept.ts'
import { livingIn, ownerTag, sweep } from '../storage/owner.ts'
import { makeCluster, postmaster, startCluster, stopCluster } from './cluster.ts'
import { exclusively } from './lock.ts'

const WATCH_MS = 1000
const SAY_MS = 10_000
const START_TRIES = 5

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))
const say = (text: string): void => log.info(text)

/** The first free port, or whether `port` itself is free. */
const bindable = (port: number): Promise<number | undefined> =>
  new Promise((done) => {
    const server = createServer().on('error', () => done(undefined))
    server.listen(port, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => done(port))
    })
  })

/**
 * Keeps one real Postgres over a data folder, whichever processes use it: each may start it, and
 * starts it again when it died; each finds one that another process left; the last to go stops it.
 * Its port is kept, so that all find it again. Starts and stops are one process's at a time.
 */
class Supervisor {
  private readonly home: string
  private readonly folder: string
  private readonly users: string
  private readonly password: string
  private watching: NodeJS.Timeout | undefined
  private ensuring: Promise<unknown> | undefined
  private port = 0

  constructor(home: string) {
    this.home = home
    this.folder = join(home, 'postgres')
    this.users = join(home, 'postgres.users')
    mkdirSync(this.users, { recursive: true })
    this.password = keptText(join(home, 'postgres.password'), randomBytes(16).toString('hex'))
  }

  url(database = 'geodag'): string {
    return `postgres://geodag:${this.password}@127.0.0.1:${this.port}/${database}`
  }

  private get me(): string {
    return join(this.users, ownerTag())
  }

  async start(): Promise<void> {
    writeFileSync(this.me, '')
    await sweep(this.users, '')
    await this.ensure()
    this.watching = setInterval(() => {
      if (this.ensuring || postmaster(this.folder)) return
      say('the database server has ended: starting it again')
      this.ensuring = this.ensure()
        .catch((error: Error) => say(error.message))
        .finally(() => (this.ensuring = undefined))
    }, WATCH_MS)
    this.watching.unref()
  }

  /** The last process that uses the server stops it. */
  async stop(): Promise<void> {
    clearInterval(this.watching)
    await this.ensuring
    await exclusively(this.folder, async () => {
      rmSync(this.me, { force: true })
      if (livingIn(this.users).length === 0 && postmaster(this.folder))
        await stopCluster(this.folder)
    })
  }

  private ensure(): Promise<void> {
    return exclusively(this.folder, async () => {
      if (!existsSync(join(this.folder, 'PG_VERSION')))
        await makeCluster(this.folder, this.password)
      for (let tries = START_TRIES; ;) {
        const found = postmaster(this.folder)
        this.port = found ? this.keepPort(found.port) : await this.freePort()
        if (!found && !(await this.tryStart(--tries))) continue
        if (await this.answers()) return
      }
    })
  }

  /** The dead server's last sessions may still hold its memory for a moment. */
  private async tryStart(left: number): Promise<boolean> {
    try {
      await startCluster(this.folder, this.port)
      return true
    } catch (error) {
      if (left <= 0) throw error
      await pause(1000)
      return false
    }
  }

  private keepPort(port: number): number {
    writeFileSync(join(this.home, 'postgres.port'), String(port))
    return port
  }

  /** The kept port; another one only where a stranger has it and no process relies on it. */
  private async freePort(): Promise<number> {
    const file = join(this.home, 'postgres.port')
    const kept = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
    const end = Date.now() + SAY_MS
    for (let told = false; ; await pause(200)) {
      const port = await bindable(kept)
      if (port !== undefined) return this.keepPort(port)
      const others = livingIn(this.users).length > 1
      if (!others && Date.now() > end) return this.keepPort((await bindable(0))!)
      if (Date.now() > end && !told) say(`port ${kept} of the database is another program's now`)
      told ||= Date.now() > end
    }
  }

  /** Waits for a living server, as long as it recovers; false when it has died meanwhile. */
  private async answers(): Promise<boolean> {
    for (let said = Date.now(); postmaster(this.folder); await pause(100)) {
      try {
        await this.makeDatabase()
        return true
      } catch (error) {
        const { code = '', message } = error as { code?: string; message: string }
        // Class 28: the server is well, but not ours to use.
        if (code.startsWith('28')) throw new Error(`the database in ${this.folder}: ${message}`)
        if (Date.now() - said < SAY_MS) continue
        said = Date.now()
        say(`waiting for the database: ${message}`)
      }
    }
    return false
  }

  private async makeDatabase(): Promise<void> {
    const connectionString = this.url('postgres')
    const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5000 })
    client.on('error', () => undefined)
    try {
      await client.connect()
      const found = await client.query(`select 1 from pg_database where datname = 'geodag'`)
      if (found.rowCount === 0) await client.query('create database geodag')
    } finally {
      await client.end().catch(() => undefined)
    }
  }
}

/** A real Postgres from npm, its data kept in `folder`/postgres. @throws Error in its own words */
export const embedded = async (folder: string): Promise<{ url: string; stop(): Promise<void> }> => {
  const supervisor = new Supervisor(folder)
  await supervisor.start()
  return { url: supervisor.url(), stop: () => supervisor.stop() }
}
