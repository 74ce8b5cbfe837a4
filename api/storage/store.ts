/**
 * Where outputs, logs and uploads live: a folder, or any S3. Keys are `/`-separated paths.
 *
 * Every call that fails throws a StoreError (errors.ts), or NotServed where a URL was given.
 */
export interface Store {
  put(key: string, body: Buffer | string): Promise<void>
  putFile(key: string, path: string): Promise<void>
  get(key: string): Promise<Buffer>
  getFile(key: string, path: string): Promise<void>
  /** Bytes, or undefined where there is no such object. */
  size(key: string): Promise<number | undefined>
  /** A URL that needs no header, answers Range, and ends after `seconds`. */
  signGet(key: string, seconds: number): Promise<string>
  signPut(key: string, seconds: number): Promise<string>
  /** Whether a URL that a user gave is one of this store's own. */
  owns(url: string): boolean
  /** Writes what a signed URL of this store's own stands for to a file. @throws NotServed */
  download(url: string, path: string): Promise<void>
  /** What is another each time the object behind such a URL is written; undefined: there is none. */
  written(url: string): Promise<string | undefined>
  /** Names directly below `prefix/` that have objects below them. */
  folders(prefix: string): Promise<string[]>
  /** Objects below `prefix/` and their bytes; what is still being written is not there. */
  usage(prefix: string): Promise<{ objects: number; bytes: number }>
  /** Removes every object below `prefix/`. */
  removeBelow(prefix: string): Promise<void>
  /** Removes what a writer that was killed left unfinished. */
  tidy(): Promise<void>
}

/** A signed URL that is wrong, has ended, or whose object is gone; the status that it answers. */
export class NotServed extends Error {
  readonly status: number
  constructor(status: number) {
    super(`the URL answers ${status}`)
    this.status = status
  }
}

/** Lifetimes of signed URLs in seconds. Clients rely on them. */
export const LIFETIME = { output: 302_400, log: 302_400, processor: 28_800, share: 28_800 } as const

/** Whether a URL, its dots resolved, lies below `base`: a `..` must not lead out of the store. */
export const isBelow = (url: string, base: string): boolean =>
  URL.canParse(url) && new URL(url).href.startsWith(new URL(base).href)
