import { createHmac, timingSafeEqual } from 'node:crypto'
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StoreError, told } from './errors.ts'
import { ownerTag, sweep } from './owner.ts'
import { isBelow, NotServed, type Store } from './store.ts'

/** Objects as files of one folder; the API itself serves its signed URLs (routes.ts). */
const PARTS = '.parts'

export class FolderStore implements Store {
  readonly folder: string
  private readonly key: string
  private readonly publicUrl: () => string

  constructor(folder: string, signingKey: string, publicUrl: () => string) {
    this.folder = folder
    this.key = signingKey
    this.publicUrl = publicUrl
  }

  /** The file of a key. @throws Error for a key that leaves the folder */
  path(key: string): string {
    if (
      !/^[\w@+ .-]+(\/[\w@+ .-]+)*$/.test(key) ||
      key.split('/').some((part) => /^\.+$/.test(part))
    )
      throw new Error(`not an object key: ${key}`)
    return join(this.folder, key)
  }

  /** Writes an object whole or not at all. @throws StoreError */
  place(key: string, write: (part: string) => Promise<void>): Promise<void> {
    const path = this.path(key)
    // In a folder of their own, named by their writer: what a killed one left is found and swept.
    const part = join(this.folder, PARTS, `${ownerTag()}.${crypto.randomUUID()}`)
    const work = async () => {
      try {
        await mkdir(dirname(part), { recursive: true })
        await write(part)
        await mkdir(dirname(path), { recursive: true })
        await rename(part, path)
      } catch (error) {
        await rm(part, { force: true }).catch(() => undefined)
        throw error
      }
    }
    return told(key, work, true)
  }
  async tidy(): Promise<void> {
    await sweep(join(this.folder, PARTS), '')
  }

  put(key: string, body: Buffer | string): Promise<void> {
    return this.place(key, (part) => writeFile(part, body))
  }
  putFile(key: string, path: string): Promise<void> {
    return this.place(key, (part) => copyFile(path, part))
  }
  get(key: string): Promise<Buffer> {
    return told(key, () => readFile(this.path(key)))
  }
  getFile(key: string, path: string): Promise<void> {
    return told(key, () => copyFile(this.path(key), path))
  }
  async size(key: string): Promise<number | undefined> {
    try {
      const found = await told(key, () => stat(this.path(key)))
      return found.isFile() ? found.size : undefined
    } catch (error) {
      if (error instanceof StoreError && !error.passes) return undefined
      throw error // away is not the same as not there
    }
  }

  private signature(method: string, key: string, expires: number): string {
    return createHmac('sha256', this.key).update(`${method}\n${key}\n${expires}`).digest('hex')
  }
  private sign(method: string, key: string, seconds: number): string {
    const expires = Math.floor(Date.now() / 1000) + seconds
    const path = key.split('/').map(encodeURIComponent).join('/')
    return `${this.publicUrl()}/v2/files/${path}?expires=${expires}&signature=${this.signature(method, key, expires)}`
  }
  async signGet(key: string, seconds: number): Promise<string> {
    return this.sign('GET', key, seconds)
  }
  async signPut(key: string, seconds: number): Promise<string> {
    return this.sign('PUT', key, seconds)
  }

  /** Whether the signature is this store's for this method and key, and has not ended. */
  verify(method: string, key: string, expires: string, signature: string): boolean {
    const wanted = Buffer.from(this.signature(method, key, Number(expires)))
    const given = Buffer.from(signature)
    const equal = wanted.length === given.length && timingSafeEqual(wanted, given)
    return equal && Number(expires) * 1000 > Date.now()
  }

  private keyOf(url: string): string {
    return decodeURIComponent(new URL(url).pathname.replace(/^.*?\/v2\/files\//, ''))
  }
  async written(url: string): Promise<string | undefined> {
    const key = this.keyOf(url)
    if ((await this.size(key)) === undefined) return undefined
    const { size, mtimeMs } = await told(key, () => stat(this.path(key)))
    return `${size} ${mtimeMs}`
  }
  /** From the folder itself: the API need not be up, nor reachable under its public name. */
  async download(url: string, path: string): Promise<void> {
    const { searchParams } = new URL(url)
    const key = this.keyOf(url)
    const [expires, signature] = ['expires', 'signature'].map(
      (name) => searchParams.get(name) ?? '',
    )
    if (!this.verify('GET', key, expires!, signature!)) throw new NotServed(403)
    if ((await this.size(key)) === undefined) throw new NotServed(404)
    await this.getFile(key, path)
  }
  async removeBelow(prefix: string): Promise<void> {
    await told(prefix, () => rm(this.path(prefix), { recursive: true, force: true }), true)
  }

  async folders(prefix: string): Promise<string[]> {
    const entries = await readdir(this.path(prefix), { withFileTypes: true }).catch(() => [])
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  }
  async usage(prefix: string): Promise<{ objects: number; bytes: number }> {
    const options = { recursive: true, withFileTypes: true } as const
    const entries = await readdir(this.path(prefix), options).catch(() => [])
    const files = entries.filter((entry) => entry.isFile())
    const sizes = await Promise.all(
      files.map((file) =>
        stat(join(file.parentPath, file.name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
    )
    return { objects: files.length, bytes: sizes.reduce((sum, size) => sum + size, 0) }
  }

  owns(url: string): boolean {
    return isBelow(url, `${this.publicUrl()}/v2/files/`)
  }
}
