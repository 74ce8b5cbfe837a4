import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Wait } from 'testcontainers'
import { root } from './engine.ts'
import { freePort, image, say, until } from './services.ts'

const run = promisify(execFile)

/** A real STAC API of others: stac-fastapi over pgstac. */
export interface TestStac {
  /** Root of the API, without a slash at its end */
  readonly url: string
  readonly kind: 'testcontainers' | 'process'
  /** Adds collections (by id alone, or whole) and items; items name their collection. */
  load(collections: readonly (string | object)[], items: readonly object[]): Promise<void>
  stop(): Promise<void>
}

const EXTENT = {
  spatial: { bbox: [[-180, -90, 180, 90]] },
  temporal: { interval: [['2015-01-01T00:00:00Z', null]] },
}
const collectionOf = (given: string | object): { id: string } =>
  typeof given === 'object'
    ? (given as { id: string })
    : {
        ...{ type: 'Collection', stac_version: '1.0.0', id: given, description: given },
        ...{ license: 'proprietary', links: [], extent: EXTENT },
      }

const post = async (url: string, body: unknown): Promise<void> => {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!answer.ok && answer.status !== 409)
    throw new Error(`${url}: ${answer.status} ${await answer.text()}`)
}

const loader =
  (url: string): TestStac['load'] =>
  async (collections, items) => {
    for (const one of collections.map(collectionOf)) await post(`${url}/collections`, one)
    for (const one of collections.map(collectionOf)) {
      const own = items.filter((item) => (item as { collection?: string }).collection === one.id)
      for (let from = 0; from < own.length; from += 500) {
        const part = own.slice(from, from + 500).map((item) => [(item as { id: string }).id, item])
        const body = { items: Object.fromEntries(part), method: 'upsert' }
        await post(`${url}/collections/${one.id}/bulk_items`, body)
      }
    }
  }

const answers = (url: string): Promise<void> =>
  until('the STAC API', async () => {
    const answer = await fetch(`${url}/collections`)
    if (!answer.ok) throw new Error(String(answer.status))
    await answer.text()
  })

const requirements = join(root, 'containers/stac/requirements.txt')
const DEBIAN = '/usr/lib/postgresql/15'

/** Debian's PostGIS and a venv of pip's packages, each made once. */
const packages = async (): Promise<string> => {
  if (!existsSync(join(DEBIAN, 'lib/postgis-3.so'))) {
    say('installing PostGIS (once)')
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    await run('apt-get', ['update', '-qq'], { env })
    const names = ['-y', '-qq', '--no-install-recommends', 'postgresql-15-postgis-3']
    await run('apt-get', ['install', ...names], { env })
  }
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'geodag/stac-7.2.0')
  const bin = join(cache, 'bin')
  if (existsSync(join(cache, 'complete'))) return bin
  say('installing stac-fastapi-pgstac (once)')
  mkdirSync(cache, { recursive: true })
  await run('python3', ['-m', 'venv', cache])
  await run(join(bin, 'pip'), ['install', '-q', '-r', requirements])
  writeFileSync(join(cache, 'complete'), '')
  return bin
}

/** A cluster of its own on a free port, under the user postgres, and the API on it. */
const processStac = async (): Promise<TestStac> => {
  const bin = await packages()
  const [database, port] = [await freePort(), await freePort()]
  const folder = mkdtempSync(join(tmpdir(), 'geodag-stac-'))
  chmodSync(folder, 0o777)
  const data = join(folder, 'data')
  const env = {
    ...process.env,
    ...{ PGHOST: '127.0.0.1', PGPORT: String(database), PGUSER: 'postgres', PGPASSWORD: 'x' },
    ...{ PGDATABASE: 'postgis', ENABLE_TRANSACTIONS_EXTENSIONS: 'TRUE' },
  }
  // Postgres refuses root.
  const asPostgres = (name: string, ...args: string[]) =>
    process.getuid?.() === 0
      ? run('runuser', ['-u', 'postgres', '--', join(DEBIAN, 'bin', name), ...args], { env })
      : run(join(DEBIAN, 'bin', name), args, { env })
  const flags = `-p ${database} -c fsync=off -c listen_addresses=127.0.0.1 -k ${folder}`
  const log = join(folder, 'log')
  await asPostgres('initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8')
  await asPostgres('pg_ctl', '-w', '-s', '-D', data, '-l', log, '-o', flags, 'start')
  let api: ChildProcess | undefined
  const stop = async () => {
    api?.kill()
    await asPostgres('pg_ctl', '-s', '-m', 'immediate', '-D', data, 'stop').catch(() => undefined)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await run(join(DEBIAN, 'bin/createdb'), ['postgis'], { env })
    const extensions = ['postgis', 'btree_gist'].flatMap((one) => ['-c', `create extension ${one}`])
    await run(join(DEBIAN, 'bin/psql'), ['-q', ...extensions], { env })
    await run(join(bin, 'pypgstac'), ['migrate'], { env })
    const app = ['stac_fastapi.pgstac.app:create_app', '--factory']
    // As Docker publishes it: a module's container asks by this machine's own address.
    const address = ['--host', '0.0.0.0', '--port', String(port)]
    api = spawn(join(bin, 'uvicorn'), [...app, ...address], { env, stdio: 'ignore' })
    const url = `http://127.0.0.1:${port}`
    await answers(url)
    return { url, kind: 'process', load: loader(url), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** stac-fastapi-pgstac with an empty database: in a container where Docker answers, else as processes. */
export const startStac = async (): Promise<TestStac> => {
  const built = await image('stac', join(root, 'containers/stac'))
  if (typeof built === 'string') {
    say(`tests use stac-fastapi-pgstac as a process: ${built}`)
    return processStac()
  }
  say('tests use stac-fastapi-pgstac in a container (testcontainers): Docker answers')
  const container = await built
    .withExposedPorts(8082)
    .withWaitStrategy(Wait.forListeningPorts())
    .start()
  const url = `http://${container.getHost()}:${container.getMappedPort(8082)}`
  await answers(url)
  return {
    url,
    kind: 'testcontainers',
    load: loader(url),
    stop: async () => void (await container.stop()),
  }
}

/** The version that the requirements name. */
export const STAC_SERVER = readFileSync(requirements, 'utf8').split('\n')[0]!
