import type { Ctx } from './context.ts'
import { HttpError } from './errors.ts'

const MOST_PARTS = 20

const refuse = (msg: string): never => {
  throw new HttpError(422, [{ type: 'request.form', loc: ['body'], msg }])
}

/**
 * Bounds a form before it is parsed: the parser's time grows with its parts, and a URL-encoded one
 * of many names would hold the server for minutes.
 *
 * @throws HttpError 422 `request.form`
 */
export const checkForm = async (c: Ctx): Promise<void> => {
  const type = c.req.header('content-type') ?? ''
  const [, quoted, plain] =
    /^multipart\/form-data\s*;.*?boundary=(?:"([^"]{1,70})"|([^\s;]{1,70}))/i.exec(type) ?? []
  const boundary = quoted ?? plain
  if (!boundary) return refuse('send multipart/form-data with a boundary')
  const body = Buffer.from(await c.req.arrayBuffer())
  const mark = `--${boundary}`
  let parts = 0
  for (let at = body.indexOf(mark); at >= 0; at = body.indexOf(mark, at + mark.length))
    if (++parts > MOST_PARTS + 1) refuse(`the form has more than ${MOST_PARTS} parts`)
}
