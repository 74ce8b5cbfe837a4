import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Context, Hono } from 'hono'
import type { Config } from '../config.ts'
import { HttpError } from '../http/errors.ts'
import { roomFor, uploadsFull } from '../quota/uploads.ts'
import type { FolderStore } from './folder.ts'

const LARGEST_UPLOAD = 5 * 1024 ** 3
const LOOK_EVERY = 256 * 1024 ** 2

const etagOf = async (path: string): Promise<string> => {
  const { size, mtimeMs } = await stat(path)
  return `"${size.toString(36)}-${Math.round(mtimeMs).toString(36)}"`
}

const keyOf = (c: Context): string =>
  decodeURIComponent(new URL(c.req.url).pathname.replace(/^.*?\/v2\/files\//, ''))

/**
 * The one range of `bytes=a-b`, `a-` or `-n` within `size`; null where it cannot be met. Units are
 * case-insensitive. What is malformed, in another unit, or of several ranges is ignored, as RFC 9110
 * 14.2 allows or asks.
 */
export const rangeOf = (
  header: string | undefined,
  size: number,
): [number, number] | null | undefined => {
  const [, set] = /^\s*bytes=(.*)$/i.exec(header ?? '') ?? []
  const specs = (set ?? '').split(',').map((one) => one.trim())
  const given = specs.filter(Boolean)
  const match = given.length === 1 ? /^(\d*)-(\d*)$/.exec(given[0]!) : null
  if (!match || (!match[1] && !match[2])) return undefined
  const [, first, last] = match
  if (first && last && Number(first) > Number(last)) return undefined
  const from = first ? Number(first) : Math.max(0, size - Number(last))
  const to = first && last ? Math.min(Number(last), size - 1) : size - 1
  return from > to || from >= size ? null : [from, to]
}

/** An upload that its sender did not end, or that is too much. */
class Interrupted extends Error {
  readonly status: 400 | 413
  constructor(status: 400 | 413, message: string) {
    super(message)
    this.status = status
  }
}

/** The folder store's signed URLs: GET and HEAD with Range, PUT of any Content-Type. */
export const fileRoutes = (app: Hono<any>, store: FolderStore, config: Config): void => {
  const signed = (c: Context, method: string): string | undefined => {
    const { expires = '', signature = '' } = c.req.query()
    try {
      const key = keyOf(c)
      store.path(key)
      return store.verify(method, key, expires, signature) ? key : undefined
    } catch {
      return undefined
    }
  }
  /** Bytes on their way to each folder of the store: half-written ones have no place in it yet. */
  const writing = new Map<string, number>()
  const refused = (c: Context): Response =>
    c.json({ detail: 'The signature of this URL is wrong or has expired: ask for a new URL.' }, 403)

  app.get('/v2/files/*', async (c) => {
    const key = signed(c, 'GET')
    if (key === undefined) return refused(c)
    const size = await store.size(key)
    if (size === undefined) return c.json({ detail: 'Not Found' }, 404)
    const etag = await etagOf(store.path(key))
    // Only GET has ranges (RFC 9110 14.2), and only of the file that the client has begun (13.1.5).
    const asked = c.req.method === 'GET' && (c.req.header('if-range') ?? etag) === etag
    const range = asked ? rangeOf(c.req.header('range'), size) : undefined
    const headers = {
      'Accept-Ranges': 'bytes',
      ETag: etag,
      'Content-Type': 'application/octet-stream',
      'X-Content-Type-Options': 'nosniff',
      'Content-Disposition': `attachment; filename="${key
        .split('/')
        .at(-1)!
        .replace(/[^\w.-]/g, '_')}"`,
    }
    if (range === null) return c.body(null, 416, { ...headers, 'Content-Range': `bytes */${size}` })
    const [from, to] = range ?? [0, size - 1]
    const sized = { ...headers, 'Content-Length': String(to - from + 1) }
    const body =
      c.req.method === 'HEAD' || size === 0
        ? null
        : (Readable.toWeb(
            createReadStream(store.path(key), { start: from, end: to }),
          ) as ReadableStream)
    if (!range) return new Response(body, { status: 200, headers: sized })
    const part = { ...sized, 'Content-Range': `bytes ${from}-${to}/${size}` }
    return new Response(body, { status: 206, headers: part })
  })

  app.put('/v2/files/*', async (c) => {
    const key = signed(c, 'PUT')
    if (key === undefined) return refused(c)
    const owner = dirname(key)
    let [bytes, looked, room] = [0, 0, await roomFor(store, config, key)]
    // What the sender says of its size is believed while it refuses: then no byte need be read.
    const length = Number(c.req.header('content-length') ?? 0)
    if (length > LARGEST_UPLOAD) return c.json({ detail: 'Larger than 5 GiB.' }, 413)
    if (length > room) throw uploadsFull(config)
    const write = async (part: string) => {
      const body = c.req.raw.body
        ? Readable.fromWeb(c.req.raw.body as never)
        : Readable.from(Buffer.alloc(0))
      const counted = async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          bytes += chunk.length
          writing.set(owner, (writing.get(owner) ?? 0) + chunk.length)
          if (bytes > LARGEST_UPLOAD) throw new Interrupted(413, 'Larger than 5 GiB.')
          // Now and then again, for other uploads of the same user may have ended.
          if (bytes > looked + LOOK_EVERY) {
            room = await roomFor(store, config, key)
            looked = bytes
          }
          if (writing.get(owner)! > room) throw uploadsFull(config)
          yield chunk
        }
      }
      const early = (error: Error) => {
        // The writer's own errors name a system call; what is left is the sender's.
        if ('syscall' in error || error instanceof Interrupted || error instanceof HttpError)
          throw error
        throw new Interrupted(400, 'The upload ended early; send it again.')
      }
      await pipeline(body, counted, createWriteStream(part)).catch(early)
    }
    try {
      await store.place(key, write)
      return c.json({ bytes }, 200)
    } catch (error) {
      if (error instanceof Interrupted) return c.json({ detail: error.message }, error.status)
      throw error
    } finally {
      const rest = (writing.get(owner) ?? 0) - bytes
      if (rest > 0) writing.set(owner, rest)
      else writing.delete(owner)
    }
  })
}
