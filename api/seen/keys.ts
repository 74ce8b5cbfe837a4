import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PlannedTask } from '../../pipelines/plan.ts'
import type { Store } from '../storage/store.ts'

const root = join(import.meta.dirname, '../..')
/** What a step's exec is made from besides its call: programs, images, shipped models. */
const FOLDERS = ['steps', 'containers', 'models', 'examples']
const OWN = ['pipelines/compose.ts']
const LONG = 500
const KEY_BYTES = 16

const hashOf = (...parts: readonly string[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length}:`).update(part)
  return hash.digest('hex')
}

const digestOfSources = async (): Promise<string> => {
  const below = await Promise.all(
    FOLDERS.map(async (folder) => {
      const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true })
      return entries.flatMap((one) => (one.isFile() ? [join(one.parentPath, one.name)] : []))
    }),
  )
  const files = [...below.flat(), ...OWN.map((file) => join(root, file))]
    .filter(
      (path) => !/__pycache__|\.pytest_cache|node_modules|\.test\.ts$|\/test_\w+\.py$/.test(path),
    )
    .sort()
  const hash = createHash('sha256')
  for (const path of files)
    hash
      .update(`${path.slice(root.length)}\n`)
      .update(await readFile(path))
      .update('\0')
  return hash.digest('hex')
}
let sources: Promise<string> | undefined
/** Programs, images and models of this version of geodag, as they were when the process first asked. */
export const sourcesDigest = (): Promise<string> => (sources ??= digestOfSources())

/** Long texts by their digests: a script that is in 1,000 tasks is read once. */
const textOf = (value: unknown, known: Map<string, string>): string =>
  JSON.stringify(value, (_, one: unknown) => {
    if (typeof one !== 'string' || one.length < LONG) return one
    const digest = known.get(one) ?? hashOf(one)
    known.set(one, digest)
    return `sha256:${digest}`
  })

/** A task, and what it is given out of our own store: file names to URLs, model files to keys. */
export interface Given {
  readonly task: Pick<PlannedTask, 'files' | 'steps'>
  readonly fetch?: Readonly<Record<string, string>> | undefined
  readonly kept?: Readonly<Record<string, string>> | undefined
}

/** The given files as they lie in our own store now: a file that is uploaded again is another. */
const filesOf = async (store: Pick<Store, 'written'>, { task, fetch = {} }: Given) => {
  const own = Object.entries(fetch).map(
    async ([name, url]) => [name, url.split('?')[0], (await store.written(url)) ?? null] as const,
  )
  return [task.files, await Promise.all(own)]
}

/**
 * For each step of a task the digest of its call: the version of geodag, the given files, and the
 * names and parameters of the steps up to this one. Equal digests: called with the same, as far as
 * that is known before a scene at a URL is read.
 */
export const stepKeys = async (
  store: Pick<Store, 'written'>,
  given: Given,
  known = new Map<string, string>(),
): Promise<Buffer[]> => {
  const start = [await filesOf(store, given), Object.entries(given.kept ?? {}).sort()]
  let chain = hashOf(await sourcesDigest(), JSON.stringify(start))
  return given.task.steps.map(({ process_id, parameters }) => {
    chain = hashOf(chain, process_id, textOf(parameters, known))
    return Buffer.from(chain, 'hex').subarray(0, KEY_BYTES)
  })
}
