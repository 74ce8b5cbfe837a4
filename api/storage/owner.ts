import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'

interface Stat {
  readonly name: string
  readonly state: string
  /** When it began, in the kernel's ticks: a number that a later process of that id has not. */
  readonly began: string
}

/** What the kernel tells of a process (proc(5)); undefined where there is no /proc. */
const statOf = (pid: number): Stat | undefined => {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in brackets may hold anything: the fields are counted from its end.
    const end = line.lastIndexOf(')')
    const fields = line.slice(end + 2).split(' ')
    return { name: line.slice(line.indexOf('(') + 1, end), state: fields[0]!, began: fields[19]! }
  } catch {
    return undefined
  }
}

/** Whether a process lives (one that nobody has buried does not), and bears the name. */
export const lives = (pid: number, name?: string): boolean => {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const stat = statOf(pid)
  return !stat || (stat.state !== 'Z' && (name === undefined || stat.name === name))
}

const here = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)

/** Names this process in a file's name, so that others can tell what it left from what it uses. */
export const ownerTag = (): string => `${here}-${process.pid}-${statOf(process.pid)?.began ?? 0}`

const TAG = /(?:^|-)([0-9a-f]{8})-(\d+)-(\d+)(?=$|[.-])/

/** Whether the process that a name tells of lives; undefined where that cannot be known. */
export const ownerLives = (name: string): boolean | undefined => {
  const [, host, pid, began] = TAG.exec(name) ?? []
  if (host !== here) return undefined
  if (!lives(Number(pid))) return false
  const now = statOf(Number(pid))?.began
  return !now || began === '0' || now === began
}

/** Names in `folder` that living processes left there. */
export const livingIn = (folder: string): string[] => {
  try {
    return readdirSync(folder).filter((name) => ownerLives(name))
  } catch {
    return []
  }
}

/** Without an owner to ask: what nobody wrote to for so long is nobody's. */
const FORGOTTEN_MS = 24 * 3600 * 1000

/** Removes what processes that ended left in `folder` under `prefix`; never what is in use. */
export const sweep = async (folder: string, prefix: string): Promise<number> => {
  const names = await readdir(folder).catch(() => [])
  let removed = 0
  for (const name of names.filter((one) => one.startsWith(prefix))) {
    const path = join(folder, name)
    const lives = ownerLives(name)
    const old = async () => Date.now() - (await stat(path)).mtimeMs > FORGOTTEN_MS
    try {
      if (lives || (lives === undefined && !(await old()))) continue
      await rm(path, { recursive: true, force: true })
      removed++
    } catch {
      // another process was faster, or it is another user's
    }
  }
  return removed
}
