import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
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
    const path = store.path(key)
    const part = `${path}.${crypto.randomUUID()}.part`
    await mkdir(dirname(path), { recursive: true })
    let bytes = 0
    try {
      const body = c.req.raw.body
        ? Readable.fromWeb(c.req.raw.body as never)
        : Readable.from(Buffer.alloc(0))
      await pipeline(
        body,
        async function* (chunks) {
          for await (const chunk of chunks) {
            bytes += (chunk as Buffer).length
            if (bytes > LARGEST_UPLOAD) throw new RangeError('too large')
            yield chunk
          }
        },
        createWriteStream(part),
      )
      await rename(part, path)
      return c.json({ bytes }, 200)
    } catch (error) {
      await rm(part, { force: true })
      if (error instanceof RangeError) return c.json({ detail: 'Larger than 5 GiB.' }, 413)
      return c.json({ detail: 'The upload ended early; send it again.' }, 400)
    }
  })
}
