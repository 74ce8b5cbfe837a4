import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { z } from 'zod'
import type { terratorchParameters } from '../../steps/terratorch-inference/contract.ts'
import { filesOf, MODEL_FILES, type ModelFileKey } from '../../steps/weights.ts'
import type { Db } from '../database/database.ts'
import { invalidBody } from '../http/errors.ts'
import { ownerTag } from '../storage/owner.ts'
import { NotServed, type Store } from '../storage/store.ts'
import { isNamed } from './jobs.ts'

type Inference = z.output<typeof terratorchParameters> | null | undefined

/** Below it everything that is kept of one file. */
export const modelFileFolder = (sha256: string): string => `model-weights/${sha256}`

/** Where a model's file that was shared through the store is kept, by its hash. */
export const modelFileKey = (key: ModelFileKey, sha256: string): string =>
  `${modelFileFolder(sha256)}/${MODEL_FILES[key]}`

const refuse = (key: ModelFileKey, field: string, msg: string): never => {
  throw invalidBody(msg, 'inference', key, field)
}

/** sha256 of a file, hex. */
export const hashOf = async (path: string): Promise<string> => {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

/** One file out of the store to where models are kept. @throws HttpError 422 */
const keepFile = async (
  store: Store,
  key: ModelFileKey,
  { url, sha256 }: { url: string; sha256: string },
): Promise<void> => {
  if ((await store.size(modelFileKey(key, sha256))) !== undefined) return
  const folder = await mkdtemp(join(tmpdir(), `geodag-weights-${ownerTag()}-`))
  const path = join(folder, 'file')
  try {
    await store.download(url, path)
    const found = await hashOf(path)
    if (found !== sha256)
      refuse(key, 'sha256', `the file's sha256 is ${found}: name it, or upload the right file`)
    await store.putFile(modelFileKey(key, sha256), path)
  } catch (error) {
    if (error instanceof NotServed)
      refuse(
        key,
        'url',
        `${error.message}: upload the file, or ask for a new URL (they end after 8 hours)`,
      )
    throw error
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Whether a model has a file that is kept here. */
export const ownsFiles = (store: Store, inference: Inference): boolean =>
  filesOf(inference).some(([, from]) => 'url' in from && store.owns(from.url))

/**
 * Keeps weights, config and checkpoint that a user shared through the store: a shared URL ends after
 * 8 hours, a model does not. Others are fetched by the step.
 *
 * @returns what the model's row says of its files (their URLs without a signature), and their bytes
 * @throws HttpError 422 for a URL that is not served or a file with another hash
 */
export const keepFiles = async (
  store: Store,
  inference: Inference,
): Promise<{ inference: Inference; bytes: number }> => {
  if (!inference) return { inference, bytes: 0 }
  const kept: Record<string, unknown> = {}
  let bytes = 0
  for (const [key, from] of filesOf(inference)) {
    if (!('url' in from) || !store.owns(from.url)) continue
    await keepFile(store, key, from)
    bytes += (await store.size(modelFileKey(key, from.sha256))) ?? 0
    kept[key] = { url: from.url.split('?')[0]!, sha256: from.sha256 }
  }
  return { inference: { ...inference, ...kept }, bytes }
}

/** Removes the files of a tune or model that is gone, unless another or an open run names them. */
export const removeFiles = async (db: Db, store: Store, inference: unknown): Promise<void> => {
  for (const [, from] of filesOf(inference))
    if ('sha256' in from && !(await isNamed(db, from.sha256)))
      await store.removeBelow(modelFileFolder(from.sha256))
}
