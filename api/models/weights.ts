import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { z } from 'zod'
import type { onnxParameters } from '../../steps/onnx-inference/contract.ts'
import { invalidBody } from '../http/errors.ts'
import { ownerTag } from '../storage/owner.ts'
import { NotServed, type Store } from '../storage/store.ts'

type Inference = z.output<typeof onnxParameters> | null | undefined

/** Where weights that were shared through the store are kept, by their hash. */
export const weightsKey = (sha256: string): string => `model-weights/${sha256}.onnx`

const refuse = (field: string, msg: string): never => {
  throw invalidBody(msg, 'inference', 'weights', field)
}

/**
 * Keeps weights that a user shared through the store: a shared URL ends after 8 hours, a model does
 * not. Others are fetched by the step.
 *
 * @returns what the model's row says of its weights: the URL without its signature
 * @throws HttpError 422 for a URL that is not served or a file with another hash
 */
export const keepWeights = async (store: Store, inference: Inference): Promise<Inference> => {
  const weights = inference?.weights
  if (!weights || !('url' in weights) || !store.owns(weights.url)) return inference
  const kept = {
    ...inference,
    weights: { url: weights.url.split('?')[0]!, sha256: weights.sha256 },
  }
  if ((await store.size(weightsKey(weights.sha256))) !== undefined) return kept
  const folder = await mkdtemp(join(tmpdir(), `geodag-weights-${ownerTag()}-`))
  const path = join(folder, 'model.onnx')
  try {
    await store.download(weights.url, path)
    const hash = createHash('sha256')
    await pipeline(createReadStream(path), hash)
    const found = hash.digest('hex')
    if (found !== weights.sha256)
      refuse('sha256', `the file's sha256 is ${found}: name it, or upload the right file`)
    await store.putFile(weightsKey(weights.sha256), path)
  } catch (error) {
    if (error instanceof NotServed)
      refuse(
        'url',
        `${error.message}: upload the file, or ask for a new URL (they end after 8 hours)`,
      )
    throw error
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return kept
}
