import type { Context, Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { z } from 'zod'
import { HttpError, problemsOf } from './errors.ts'

/** Who asks: the e-mail, and how it was shown. */
export interface Identity {
  readonly email: string
  readonly by: 'off' | 'key' | 'jwt' | 'proxy'
}
export type Vars = { Variables: { identity: Identity; pattern: string } }
export type Ctx = Context<Vars>

type Schema = z.ZodType
/** One endpoint: what it takes and answers. The OpenAPI document is made from the same object. */
export interface RouteSpec<P extends Schema, Q extends Schema, B extends Schema> {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  readonly path: string
  readonly summary: string
  readonly tag: string
  /** No authentication */
  readonly open?: boolean
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  /** The body may be left out */
  readonly bodyOptional?: boolean
  /** Named parts of a multipart body; the handler reads them itself */
  readonly multipart?: Record<string, 'file' | 'text'>
  /** Answer by status: its meaning */
  readonly responses: Record<number, string>
  readonly contentType?: string
}
export interface Call<P, Q, B> {
  readonly c: Ctx
  readonly user: string
  readonly params: P
  readonly query: Q
  readonly body: B
}
export type AnyRoute = RouteSpec<Schema, Schema, Schema>

/** A string that Postgres can keep: no NUL, no half of a surrogate pair. */
const storable = (text: string): boolean => !text.includes('\0') && !/\p{Surrogate}/u.test(text)

const readJson = async (c: Ctx): Promise<unknown> => {
  const text = await c.req.text()
  if (text.trim() === '') return undefined
  try {
    return JSON.parse(text, (key, value) => {
      if (!storable(key) || (typeof value === 'string' && !storable(value)))
        throw new HttpError(422, [
          {
            type: 'string_unicode',
            loc: ['body', key.replace(/\0/g, '')],
            msg: 'Input should be valid text: no NUL and no lone surrogates',
          },
        ])
      return value
    })
  } catch (error) {
    if (error instanceof HttpError) throw error
    const position = Number(/position (\d+)/.exec((error as Error).message)?.[1] ?? 0)
    throw new HttpError(422, [
      {
        type: 'json_invalid',
        loc: ['body', position],
        msg: 'JSON decode error',
        input: {},
        ctx: { error: (error as Error).message },
      },
    ])
  }
}

const check = <S extends Schema>(
  schema: S | undefined,
  input: unknown,
  place: string,
): z.output<S> => {
  if (!schema) return undefined as z.output<S>
  const parsed = schema.safeParse(input)
  if (!parsed.success) throw new HttpError(422, problemsOf(parsed.error, input, place))
  return parsed.data
}

/** Registers endpoints on Hono and keeps what was registered. */
export class Router {
  readonly routes: AnyRoute[] = []
  readonly app: Hono<Vars>
  private readonly authenticate: (c: Ctx, route: AnyRoute) => Promise<Identity>

  constructor(app: Hono<Vars>, authenticate: (c: Ctx, route: AnyRoute) => Promise<Identity>) {
    this.app = app
    this.authenticate = authenticate
  }

  add<P extends Schema, Q extends Schema, B extends Schema>(
    spec: RouteSpec<P, Q, B>,
    handle: (call: Call<z.output<P>, z.output<Q>, z.output<B>>) => Promise<Response> | Response,
  ): void {
    this.routes.push(spec as unknown as AnyRoute)
    this.app.on(spec.method.toUpperCase(), spec.path, async (c) => {
      c.set('pattern', spec.path)
      const identity = await this.authenticate(c, spec as unknown as AnyRoute)
      c.set('identity', identity)
      const query = c.req.query()
      for (const [name, value] of Object.entries({ ...query, ...c.req.param() }))
        if (!storable(String(value)))
          throw new HttpError(422, [
            { type: 'string_unicode', loc: ['query', name], msg: 'Input should be valid text' },
          ])
      const params = check(spec.params, c.req.param(), 'path')
      const checked = check(spec.query, query, 'query')
      let body: unknown
      if (spec.body) {
        const raw = await readJson(c)
        if (raw === undefined && !spec.bodyOptional)
          throw new HttpError(422, [
            { type: 'missing', loc: ['body'], msg: 'Field required', input: null },
          ])
        body = raw === undefined ? undefined : check(spec.body, raw, 'body')
      }
      return handle({ c, user: identity.email, params, query: checked, body: body as z.output<B> })
    })
  }
}

/** `:id` patterns as a regular expression, for 405 and for the document. */
export const matcher = (path: string): RegExp =>
  new RegExp(`^${path.replace(/:[a-z_]+(\{\.\+\})?/g, '[^/]+')}/?$`)

export const fail = (status: number, detail: unknown): never => {
  throw new HttpError(status, detail)
}
export const status = (code: number): ContentfulStatusCode => code as ContentfulStatusCode

export const uuidParams = z.object({ id: z.guid() })
const wholeNumber = (fallback: number) =>
  z
    .union([
      z
        .string()
        .regex(
          /^[+-]?\d{1,15}$/,
          'Input should be a valid integer, unable to parse string as an integer',
        )
        .transform(Number)
        .pipe(z.number().min(0, 'Input should be greater than or equal to 0')),
      z.literal('').transform(() => fallback),
    ])
    .optional()
    .transform((value) => value ?? fallback)
export const paging = { limit: wholeNumber(25), skip: wholeNumber(0) }

/** `{"total_records", "page_count", "results"}`. @see contract.md 1.0 */
export const envelope = (total: number, results: unknown[]) => ({
  total_records: total,
  page_count: results.length,
  results,
})
