import { createHash } from 'node:crypto'

/** Where answers of catalogues are kept; a process's own memory, or something that many share. */
export interface SearchStore {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown, seconds: number): Promise<void>
}

/** In this process's memory: the oldest goes first. */
export const memoryStore = (most = 256, now = Date.now): SearchStore => {
  const kept = new Map<string, { value: unknown; until: number }>()
  return {
    get: async (key) => {
      const found = kept.get(key)
      if (found && found.until > now()) return structuredClone(found.value)
      kept.delete(key)
      return undefined
    },
    set: async (key, value, seconds) => {
      kept.delete(key)
      kept.set(key, { value: structuredClone(value), until: now() + seconds * 1000 })
      for (const oldest of kept.keys()) {
        if (kept.size <= most) break
        kept.delete(oldest)
      }
    },
  }
}

/** Same question, same key: no credential is part of it. */
export const keyOf = (...parts: readonly unknown[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex')

/** A kept answer, or a new one that is kept; failures are not. */
export const remembered = async <T>(
  store: SearchStore,
  key: string,
  seconds: number,
  ask: () => Promise<T>,
): Promise<T> => {
  const kept = await store.get(key)
  if (kept !== undefined) return kept as T
  const answer = await ask()
  await store.set(key, answer, seconds)
  return answer
}
