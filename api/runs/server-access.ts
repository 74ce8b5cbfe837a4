import type { PlannedTask } from '../../pipelines/plan.ts'
import { contractOf } from '../../steps/contracts.ts'
import type { Config } from '../config.ts'
import type { Store } from '../storage/store.ts'

/** Seconds that a model server may take to read its input. Clients rely on it. */
const LIFETIME = 6000

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]', '0.0.0.0']

/** What a step hands to others lies below this, apart from the outputs, until its task ends. */
export const handedOver = (inference: string, task: string): string =>
  `${inference}/${task}/handed-over`

const signedUploads = async (store: Store, prefix: string, names: readonly string[]) => {
  const uploads: Record<string, { put: string; get: string }> = {}
  for (const name of names) {
    const key = `${prefix}/${name}`
    const get = await store.signGet(key, LIFETIME)
    // No other machine reads the URLs of a store that answers on this one alone.
    if (LOOPBACK.includes(new URL(get).hostname)) return {}
    uploads[name] = { put: await store.signPut(key, LIFETIME), get }
  }
  return uploads
}

/**
 * What a step needs to ask a model server, JSON, for a secret: signed URLs of its inputs, tokens.
 *
 * Undefined for a task whose steps ask none.
 */
export const serverAccess = async (
  { store, config }: { readonly store: Store; readonly config: Config },
  { steps }: Pick<PlannedTask, 'steps'>,
  prefix: string,
): Promise<string | undefined> => {
  const asking = steps.filter(({ process_id }) => contractOf(process_id).uploads)
  if (asking.length === 0) return undefined
  const names = asking.flatMap(({ process_id, parameters }) =>
    contractOf(process_id).uploads!(parameters),
  )
  const uploads = await signedUploads(store, prefix, names)
  return JSON.stringify({ uploads, tokens: config.MODEL_SERVERS })
}
