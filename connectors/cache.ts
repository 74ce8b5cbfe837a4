import { createHash } from 'node:crypto'

/** Where answers of catalogues are kept; a process's own memory, or something that many share. */
export interface SearchStore {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown, seconds: number): Promise<void>
}

const MOST_CHARACTERS = 64 * 1024 * 1024

/** In this process's memory, as text: the oldest goes first when there are too many or too long ones. */
export const memoryStore = (most = 256, now = Date.now): SearchStore => {
  const kept = new Map<string, { text: string; until: number }>()
  let characters = 0
  const forget = (key: string): void => {
    characters -= kept.get(key)?.text.length ?? 0
    kept.delete(key)
  }
  return {
    get: async (key) => {
      const found = kept.get(key)
      if (found && found.until > now()) return JSON.parse(found.text)
      forget(key)
      return undefined
    },
    set: async (key, value, seconds) => {
      forget(key)
      const text = JSON.stringify(value)
      kept.set(key, { text, until: now() + seconds * 1000 })
      characters += text.length
      for (const oldest of kept.keys()) {
        if (kept.size <= most && characters <= MOST_CHARACTERS) break
        forget(oldest)
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
