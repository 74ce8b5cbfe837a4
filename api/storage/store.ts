/** Where outputs, logs and uploads live: a folder, or any S3. Keys are `/`-separated paths. */
export interface Store {
  put(key: string, body: Buffer | string): Promise<void>
  putFile(key: string, path: string): Promise<void>
  get(key: string): Promise<Buffer>
  /** Bytes, or undefined where there is no such object. */
  size(key: string): Promise<number | undefined>
  /** A URL that needs no header, answers Range, and ends after `seconds`. */
  signGet(key: string, seconds: number): Promise<string>
  signPut(key: string, seconds: number): Promise<string>
  /** Whether a URL that a user gave is one of this store's own. */
  owns(url: string): boolean
}

/** Lifetimes of signed URLs in seconds. @see contract.md 4.12 */
export const LIFETIME = { output: 302_400, log: 302_400, processor: 28_800, share: 28_800 } as const

/** Whether a URL, its dots resolved, lies below `base`: a `..` must not lead out of the store. */
export const isBelow = (url: string, base: string): boolean =>
  URL.canParse(url) && new URL(url).href.startsWith(new URL(base).href)
