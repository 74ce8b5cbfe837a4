import { NotServed } from './store.ts'

/** The object store is away, cannot be written, or lacks an object; says no path of the server's. */
export class StoreError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
  /** Whether the same call may pass when the store is well again. */
  get passes(): boolean {
    return this.code !== 'store.missing'
  }
}

const READ_ONLY = ['EROFS', 'EACCES', 'EPERM']
const FULL = ['ENOSPC', 'EDQUOT', 'EFBIG']

interface Cause extends Error {
  readonly code?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

const ofFolder = ({ code = '' }: Cause, key: string, writing: boolean): StoreError => {
  if (!writing && ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(code))
    return new StoreError('store.missing', `the object store has no ${key}`)
  if (FULL.includes(code))
    return new StoreError('store.full', `the object store has no space left (${code})`)
  if (READ_ONLY.includes(code)) {
    const what = writing ? 'written' : 'read'
    return new StoreError('store.refused', `the object store cannot be ${what} (${code})`)
  }
  return new StoreError('store.unavailable', `the object store does not work (${code})`)
}

const ofS3 = (error: Cause, key: string): StoreError => {
  const status = error.$metadata?.httpStatusCode ?? 0
  if (error.name === 'NoSuchKey' || (status === 404 && error.name !== 'NoSuchBucket'))
    return new StoreError('store.missing', `the object store has no ${key}`)
  if (status >= 400 && status < 500 && ![408, 429].includes(status))
    return new StoreError('store.refused', `the object store answers ${status} ${error.name}`)
  return new StoreError(
    'store.unavailable',
    `the object store does not answer${status ? ` (${status})` : ''}`,
  )
}

/**
 * Runs one call of a store.
 *
 * @throws StoreError `store.unavailable`, `store.refused`, `store.full`, `store.missing`
 */
export const told = async <T>(key: string, work: () => Promise<T>, writing = false): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    if (error instanceof StoreError || error instanceof NotServed) throw error
    const { code, syscall, message } = error as NodeJS.ErrnoException
    const files = /^(open|read|write|mkdir|rename|copyfile|stat|rm|unlink|scandir|rmdir|close)$/
    if (code && syscall && files.test(syscall)) throw ofFolder(error as Cause, key, writing)
    const asked = '$metadata' in (error as Cause) || /fetch failed|terminated/.test(message)
    if (asked || /^(E[A-Z]+|UND_ERR_|ERR_STREAM_PREM)/.test(code ?? ''))
      throw ofS3(error as Cause, key)
    throw error // no call of the system's or of S3's: a caller's own refusal
  }
}
