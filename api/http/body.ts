import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Ctx } from './context.ts'
import { HttpError } from './errors.ts'

const MOST = 12 * 1024 * 1024
const tooLarge = (): never => {
  throw new HttpError(413, 'The body is larger than 12 MiB.')
}
/** Whether a path is that of a file: those have limits of their own. */
export const isFile = (path: string): boolean => /\/v2\/files\//.test(path)

const limited = bodyLimit({ maxSize: MOST, onError: tooLarge })

/** Whether the body comes in chunks: its size is known when it has come. */
export const isChunked = (c: Ctx): boolean => c.req.header('transfer-encoding') !== undefined

/** Refuses a body by the length that it says it has; not one byte is read. */
export const refuseLarge: MiddlewareHandler = async (c, next) => {
  const large = !isChunked(c) && Number(c.req.header('content-length') ?? 0) > MOST
  if (large && !isFile(c.req.path)) tooLarge()
  await next()
}

/** Reads a body in chunks, at most 12 MiB: only for who is known, and in their turn. @throws HttpError 413 */
export const readChunks = async (c: Ctx): Promise<void> => {
  if (isChunked(c)) await limited(c, async () => undefined)
}
