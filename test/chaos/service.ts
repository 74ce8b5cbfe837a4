import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKey } from '../../api/auth/keys.ts'
import { type Db, openDatabase, persist } from '../../api/database/database.ts'
import { Client, Process, sleep } from '../support/api.ts'
import { freePort } from '../support/services.ts'

const DISK_BYTES = 2 * 1024 ** 3

type Slot = 'api' | `runner${number}`

/**
 * A service of its own: a data folder with the embedded Postgres, one API, some runners. What ends is
 * started again, as an operator's supervisor would; what ends though nobody ended it is told.
 */
export class ChaosService {
  readonly folder = mkdtempSync(join(tmpdir(), 'geodag-chaos-'))
  readonly scratch = join(this.folder, 'tmp')
  readonly data = join(this.folder, 'data')
  readonly objects = join(this.data, 'objects')
  readonly faulty: string[] = []
  private readonly slots = new Map<Slot, Process>()
  private readonly starting = new Map<Slot, Promise<void>>()
  private readonly expected = new Set<Process>()
  private settings: Record<string, string> = {}
  private mounted = false
  private closing = false
  db!: Db
  client!: Client

  async open(runners: number): Promise<void> {
    chmodSync(this.folder, 0o755) // as root, Postgres runs under a user of its own
    mkdirSync(this.scratch, { mode: 0o1777 })
    mkdirSync(this.objects, { recursive: true })
    const port = await freePort()
    this.settings = {
      PORT: String(port),
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      DATA_FOLDER: this.data,
      TMPDIR: this.scratch,
      DATABASE_URL: '',
      S3_ENDPOINT: '',
      GEOSERVER_URL: '',
      LEASE_SECONDS: '3',
      RETRY_SECONDS: '0.2',
      RUNNER_CONCURRENCY: '3',
      RATELIMIT_ENABLED: 'false',
      // Storms of kills hit the same innocent step again and again.
      MAX_DEATHS: '60',
    }
    try {
      // A disk of its own: it can be made read-only, and be full.
      const options = ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=0755`, 'tmpfs', this.objects]
      execFileSync('mount', options, { stdio: 'ignore' })
      this.mounted = true
    } catch {
      // not root, or not allowed: the mode of the folder must do
    }
    const names: Slot[] = ['api', ...Array.from({ length: runners }, (_, n): Slot => `runner${n}`)]
    // At once, on a fresh folder.
    await Promise.all(names.map((name) => this.start(name)))
    const password = readFileSync(join(this.data, 'postgres.password'), 'utf8')
    const at = readFileSync(join(this.data, 'postgres.port'), 'utf8')
    this.db = openDatabase(`postgres://geodag:${password}@127.0.0.1:${at}/geodag`, 3)
    const key = await persist(() => createKey(this.db, 'chaos@example.org'))
    this.client = new Client(this.settings.PUBLIC_URL!, key!.value)
  }

  /** Starts a process of a slot, and another one whenever that ends. */
  private async start(name: Slot): Promise<void> {
    const process = new Process(name.replace(/\d+$/, ''), this.settings)
    this.slots.set(name, process)
    process.child.once('exit', (code, signal) => {
      if (!this.expected.delete(process))
        this.faulty.push(
          `${name} ended by itself (${signal ?? code}): ${process.output.slice(-1500)}`,
        )
      this.listen(name, process)
      if (!this.closing)
        this.starting.set(
          name,
          this.start(name).catch(() => undefined),
        )
    })
    await process.ready()
  }

  private listen(name: Slot, process: Process): void {
    for (const line of process.output.split('\n'))
      if (/Internal error|^(Type|Reference)Error/.test(line))
        this.faulty.push(`${name} said: ${line.slice(0, 300)}`)
  }

  /** A process of this kind that has not been told to end. */
  pick(kind: 'api' | 'runner', random: () => number): [Slot, Process] | undefined {
    const living = [...this.slots].filter(
      ([name, one]) => name.startsWith(kind) && !this.expected.has(one) && one.child.pid,
    )
    return living[Math.floor(random() * living.length)]
  }

  /** Ends a process on purpose; its slot starts another. */
  end(process: Process, signal: NodeJS.Signals): void {
    this.expected.add(process)
    process.child.kill('SIGCONT')
    process.child.kill(signal)
  }

  /** Process ids of the Dagger sessions of our runners, and of no others. */
  sessions(): number[] {
    const runners = [...this.slots].flatMap(([name, { child }]) =>
      name.startsWith('runner') && child.pid ? [child.pid] : [],
    )
    const lines = execFileSync('ps', ['-eo', 'pid=,ppid=,args=']).toString().split('\n')
    return lines
      .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
      .filter((found) => found && runners.includes(Number(found[2])))
      .filter((found) => /dagger\S* session/.test(found![3]!))
      .map((found) => Number(found![1]))
  }

  postmaster(): number | undefined {
    try {
      return Number(readFileSync(join(this.data, 'postgres/postmaster.pid'), 'utf8').split('\n')[0])
    } catch {
      return undefined
    }
  }

  /** Makes the object store read-only, or writable again. @returns whether it did */
  writable(on: boolean): boolean {
    try {
      const option = `remount,bind,${on ? 'rw' : 'ro'}`
      if (this.mounted) execFileSync('mount', ['-o', option, this.objects], { stdio: 'ignore' })
      else chmodSync(this.objects, on ? 0o755 : 0o555)
      return true
    } catch {
      return false // a file is open for writing just now
    }
  }

  /** Takes the object store's last free space, or gives it back. @returns whether it did */
  full(on: boolean): boolean {
    if (!this.mounted) return false
    const { blocks, bfree, bsize } = statfsSync(this.objects)
    const size = on ? (blocks - bfree) * bsize : DISK_BYTES
    try {
      // rw is said: else a store that is read-only just now would stay so below its mount.
      const options = ['-o', `remount,rw,size=${Math.max(size, bsize)}`, this.objects]
      execFileSync('mount', options, { stdio: 'ignore' })
      return true
    } catch {
      return false // something was written meanwhile
    }
  }

  /** All processes drain and end; what is still wrong then is told. */
  async stop(): Promise<void> {
    this.closing = true
    await Promise.all(this.starting.values())
    const ended = [...this.slots.values()].map(async (process) => {
      this.expected.add(process)
      process.child.kill('SIGCONT')
      const code = await Promise.race([process.end('SIGTERM'), sleep(60_000).then(() => 'late')])
      if (code === 0) return
      this.faulty.push(`SIGTERM: ended with ${code}: ${process.output.slice(-1500)}`)
      if (code === 'late') process.child.kill('SIGKILL')
    })
    await Promise.all(ended)
  }

  /** One runner, on an otherwise quiet folder, until `done` says so. */
  async runnerUntil(done: () => Promise<boolean>, seconds: number): Promise<void> {
    const runner = new Process('runner', this.settings)
    await runner.ready()
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(500))
      if (await done().catch(() => false)) break
    const code = await runner.end('SIGTERM')
    if (code !== 0) this.faulty.push(`the last runner ended with ${code}: ${runner.output}`)
  }

  async close(keep: boolean): Promise<void> {
    await this.db.destroy()
    this.writable(true)
    if (this.mounted) execFileSync('umount', ['-l', this.objects])
    if (!keep) rmSync(this.folder, { recursive: true, force: true })
  }
}
