import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKey } from '../../api/auth/keys.ts'
import { type Db, openDatabase } from '../../api/database/database.ts'
import { root } from './engine.ts'
import { freshDatabase, startPostgres } from './services.ts'

/** One `node api/main.ts <role>`, as `npm start` would run it. */
export class Process {
  readonly child: ChildProcess
  output = ''
  url = ''

  constructor(role: string, env: Record<string, string>) {
    this.child = spawn(process.execPath, ['api/main.ts', role], {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.child.stdout!, this.child.stderr!])
      stream.on('data', (chunk: Buffer) => (this.output += chunk.toString()))
  }

  async ready(): Promise<this> {
    for (let tries = 0; tries < 6000; tries++) {
      const match = /ready at (\S+)/.exec(this.output)
      if (match) {
        this.url = match[1]!
        return this
      }
      if (this.child.exitCode !== null) throw new Error(`did not start: ${this.output}`)
      await sleep(100)
    }
    throw new Error(`not ready: ${this.output}`)
  }

  /** @throws Error with its last words when it ended by itself */
  alive(): void {
    if (this.child.exitCode !== null)
      throw new Error(`ended with ${this.child.exitCode}: ${this.output.slice(-2000)}`)
  }

  end(signal: NodeJS.Signals): Promise<number | null> {
    return new Promise((done) => {
      if (this.child.exitCode !== null || this.child.signalCode) return done(this.child.exitCode)
      this.child.once('exit', (code) => done(code))
      this.child.kill(signal)
    })
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms))

export interface Answer {
  status: number
  body: any
  headers: Headers
}

/** What a client of one user does. */
export class Client {
  readonly url: string
  readonly key: string
  constructor(url: string, key: string) {
    this.url = url
    this.key = key
  }
  async call(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const answer = await fetch(path.startsWith('http') ? path : this.url + path, {
      method,
      signal: AbortSignal.timeout(300_000),
      headers: { 'X-API-Key': this.key, 'Content-Type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    const json = /json/.test(answer.headers.get('content-type') ?? '')
    return { status: answer.status, body: json ? JSON.parse(text) : text, headers: answer.headers }
  }
  get(path: string) {
    return this.call('GET', path)
  }
  post(path: string, body?: unknown, headers?: Record<string, string>) {
    return this.call('POST', path, body, headers)
  }
  /** Uploads a file by the file share; returns its download URL. */
  async share(path: string, name: string): Promise<string> {
    const { body } = await this.get(`/v2/file-share?object_name=${name}`)
    const put = await fetch(body.upload_url, { method: 'PUT', body: readFileSync(path) })
    if (put.status !== 200) throw new Error(`PUT ${put.status}`)
    return body.download_url
  }
  async processor(
    script: string | Uint8Array<ArrayBuffer>,
    name = 'script.py',
    parameters: object = {},
  ): Promise<Answer> {
    const form = new FormData()
    form.set('generic_processor_file', new File([script], name))
    form.set(
      'generic_processor_metadata',
      JSON.stringify({ name, processor_parameters: parameters }),
    )
    const answer = await fetch(`${this.url}/v2/generic-processor`, {
      method: 'POST',
      headers: { 'X-API-Key': this.key },
      body: form,
    })
    return { status: answer.status, body: await answer.json(), headers: answer.headers }
  }
  /** Polls until `done` says so; returns every distinct status seen. */
  async until(
    id: string,
    done: (inference: any) => boolean,
    seconds = 600,
  ): Promise<{ inference: any; seen: string[] }> {
    const seen: string[] = []
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(100)) {
      const answer = await this.get(`/v2/inference/${id}`).catch(() => undefined)
      if (answer?.status !== 200) continue
      if (seen.at(-1) !== answer.body.status) seen.push(answer.body.status)
      if (done(answer.body)) return { inference: answer.body, seen }
    }
    throw new Error(`not done in ${seconds} s: ${seen}`)
  }
  ended(id: string) {
    return this.until(id, ({ status }) => /COMPLETED|FAILED|STOPPED/.test(status))
  }
  async tasks(id: string): Promise<any[]> {
    return (await this.get(`/v2/inference/${id}/tasks`)).body.tasks
  }
}

/** A script with a text of its own, so that the engine's cache does not know it. */
export const slow = (seconds: number): string =>
  `import time\n# ${crypto.randomUUID()}\nif __name__ == "__main__":\n    for n in range(${seconds * 2}):\n        print("tick", n, flush=True)\n        time.sleep(0.5)\n`

/** This machine's processes whose command line holds `mark`; a container's are seen from outside. */
export const sleepers = (mark: string): string[] =>
  execFileSync('ps', ['-eo', 'args'])
    .toString()
    .split('\n')
    .filter((line) => line.includes(mark))

/** The least that the upload accepts as a processor. */
export const SCRIPT = 'if __name__ == "__main__":\n    print(1)\n'

/** A request that runs tiny-water on a shared scene. */
export const water = (url: string, more: object = {}) => ({
  model_display_name: 'tiny-water',
  spatial_domain: { urls: [url] },
  temporal_domain: ['2019-09-18'],
  location: 'Lake',
  ...more,
})

/** A fresh database on a real Postgres, a data folder, and processes on both. */
export const startService = async (env: Record<string, string> = {}) => {
  const postgres = await startPostgres()
  const databaseUrl = await freshDatabase(postgres.url)
  const settings = {
    PORT: '0',
    DATABASE_URL: databaseUrl,
    DATA_FOLDER: mkdtempSync(join(tmpdir(), 'geodag-data-')),
    LEASE_SECONDS: '3',
    RETRY_SECONDS: '0.2',
    RATELIMIT_ENABLED: 'false',
    ...env,
  }
  const processes: Process[] = []
  const launch = async (role: string, more: Record<string, string> = {}): Promise<Process> => {
    const started = new Process(role, { ...settings, ...more })
    processes.push(started)
    return started.ready()
  }
  const db: Db = openDatabase(databaseUrl, 4)
  return {
    postgres,
    databaseUrl,
    settings,
    db,
    launch,
    client: async (url: string, email: string): Promise<Client> => {
      const key = await createKey(db, email)
      return new Client(url, key!.value)
    },
    close: async () => {
      await Promise.all(processes.map((one) => one.end('SIGTERM')))
      await db.destroy()
      await postgres.stop()
    },
  }
}
export type Service = Awaited<ReturnType<typeof startService>>
