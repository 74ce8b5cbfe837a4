import { createReadStream, createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Context, Hono } from 'hono'
import type { FolderStore } from './folder.ts'

const LARGEST_UPLOAD = 5 * 1024 ** 3

const keyOf = (c: Context): string =>
  decodeURIComponent(new URL(c.req.url).pathname.replace(/^.*?\/v2\/files\//, ''))

/** `bytes=a-b`, `a-` or `-n` within `size`; null where it cannot be met. @see RFC 9110 14.2 */
export const rangeOf = (
  header: string | undefined,
  size: number,
): [number, number] | null | undefined => {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  if (!match || (!match[1] && !match[2])) return undefined
  const from = match[1] ? Number(match[1]) : Math.max(0, size - Number(match[2]))
  const to = match[1] && match[2] ? Math.min(Number(match[2]), size - 1) : size - 1
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
export const fileRoutes = (app: Hono<any>, store: FolderStore): void => {
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
  const refused = (c: Context): Response =>
    c.json({ detail: 'The signature of this URL is wrong or has expired: ask for a new URL.' }, 403)

  app.get('/v2/files/*', async (c) => {
    const key = signed(c, 'GET')
    if (key === undefined) return refused(c)
    const size = await store.size(key)
    if (size === undefined) return c.json({ detail: 'Not Found' }, 404)
    const range = rangeOf(c.req.header('range'), size)
    const headers = {
      'Accept-Ranges': 'bytes',
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
    let bytes = 0
    const write = async (part: string) => {
      const body = c.req.raw.body
        ? Readable.fromWeb(c.req.raw.body as never)
        : Readable.from(Buffer.alloc(0))
      const counted = async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          bytes += chunk.length
          if (bytes > LARGEST_UPLOAD) throw new Interrupted(413, 'Larger than 5 GiB.')
          yield chunk
        }
      }
      const early = (error: Error) => {
        // The writer's own errors name a system call; what is left is the sender's.
        if ('syscall' in error || error instanceof Interrupted) throw error
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
    }
  })
}
