import { cursorText } from './cursors.ts'
import type { Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { z } from 'zod'
import type { Db } from '../database/database.ts'
import { type Answer, Reply, type Responses } from './answers.ts'
import { isChunked, readChunks } from './body.ts'
import type { Ctx, Identity, Vars } from './context.ts'
import { BOOL_PARSING, HttpError, INT_PARSING, problemsOf } from './errors.ts'
import { fingerprint, idempotent } from './idempotency.ts'
import { checkForm } from './form.ts'
import { parseJson, storable } from './json.ts'
import type { BodyLimits } from './limits.ts'
import { breathe, LARGE, largeTurns, TurnsOfUsers } from './turns.ts'

type Schema = z.ZodType
/** One endpoint: what it takes and answers. The OpenAPI document is made from the same object. */
export interface RouteSpec<
  P extends Schema,
  Q extends Schema,
  B extends Schema,
  R extends Responses = Responses,
> {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  readonly path: string
  readonly summary: string
  readonly tag: string
  /** No authentication */
  readonly open?: boolean
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  /** What the body may hold; a small one unless said */
  readonly limits?: BodyLimits
  /** The body may be left out */
  readonly bodyOptional?: boolean
  /** Put right before it is checked */
  readonly tidy?: (raw: unknown) => unknown
  /** Honours an Idempotency-Key: the handler writes by `call.db` alone */
  readonly once?: boolean
  /** Named parts of a multipart body; the handler reads them itself */
  readonly multipart?: Record<string, 'file' | 'text'>
  /** A body that the document shows */
  readonly example?: z.input<B>
  /** Answers by status: the handler's are checked against them at compile time */
  readonly responses: R
  readonly contentType?: string
}
export interface Call<P, Q, B, R> {
  readonly c: Ctx
  readonly reply: Reply<R>
  /** The database, or the transaction of an Idempotency-Key */
  readonly db: Db
  readonly user: string
  readonly params: P
  readonly query: Q
  readonly body: B
}
export type AnyRoute = RouteSpec<Schema, Schema, Schema>

const readJson = async (c: Ctx, limits: BodyLimits | undefined): Promise<unknown> => {
  const text = await c.req.text()
  if (text.trim() === '') return undefined
  try {
    return parseJson(text, 'body', limits)
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

/** Whether a body is, or may be, to be worked on alone; it is not read yet. */
const isLarge = (c: Ctx, spec: AnyRoute): boolean => {
  if (!spec.body && !spec.multipart) return false
  if (isChunked(c)) return true
  return Number(c.req.header('content-length') ?? 0) > LARGE
}

const readBody = async (c: Ctx, spec: AnyRoute): Promise<unknown> => {
  if (!spec.body) return undefined
  const raw = await readJson(c, spec.limits)
  if (raw !== undefined) await breathe()
  // A client with nothing to say sends nothing, or null.
  if (spec.bodyOptional && (raw === undefined || raw === null)) return undefined
  if (raw === undefined)
    throw new HttpError(422, [
      { type: 'missing', loc: ['body'], msg: 'Field required', input: null },
    ])
  return check(spec.body, spec.tidy ? spec.tidy(raw) : raw, 'body')
}

const checkText = (values: Record<string, unknown>, place: string): void => {
  for (const [name, value] of Object.entries(values))
    if (!storable(String(value)))
      throw new HttpError(422, [
        { type: 'string_unicode', loc: [place, name], msg: 'Input should be valid text' },
      ])
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
  private readonly bodies = new TurnsOfUsers()
  private readonly db: Db
  private readonly authenticate: (c: Ctx, route: AnyRoute) => Promise<Identity>

  constructor(
    app: Hono<Vars>,
    db: Db,
    authenticate: (c: Ctx, route: AnyRoute) => Promise<Identity>,
  ) {
    this.app = app
    this.db = db
    this.authenticate = authenticate
  }

  add<P extends Schema, Q extends Schema, B extends Schema, const R extends Responses>(
    spec: RouteSpec<P, Q, B, R>,
    handle: (call: Call<z.output<P>, z.output<Q>, z.output<B>, R>) => Promise<Answer> | Answer,
  ): void {
    this.routes.push(spec as unknown as AnyRoute)
    this.app.on(spec.method.toUpperCase(), spec.path, async (c) => {
      c.set('pattern', spec.path)
      const identity = await this.authenticate(c, spec as unknown as AnyRoute)
      c.set('identity', identity)
      const answer = () => this.answer(c, spec as unknown as AnyRoute, identity, handle as never)
      if (!isLarge(c, spec as unknown as AnyRoute)) return answer()
      return this.bodies.take(identity.email, async () => {
        await readChunks(c)
        await (spec.multipart ? c.req.arrayBuffer() : c.req.text())
        return largeTurns.take(answer)
      })
    })
  }

  /** Checks a request that is allowed, and handles it. */
  private async answer(
    c: Ctx,
    spec: AnyRoute,
    identity: Identity,
    handle: (call: Call<unknown, unknown, unknown, Responses>) => Promise<Answer> | Answer,
  ): Promise<Response> {
    const query = c.req.query()
    checkText(c.req.param(), 'path')
    checkText(query, 'query')
    const params = check(spec.params, c.req.param(), 'path')
    const checked = check(spec.query, query, 'query')
    const body = await readBody(c, spec)
    if (spec.multipart) await checkForm(c)
    const user = identity.email
    const reply = new Reply<Responses>(c)
    const run = async (db: Db) => handle({ c, reply, db, user, params, query: checked, body })
    if (!spec.once || !c.req.header('idempotency-key')) return run(this.db)
    const form = spec.multipart && (await c.req.formData().catch(() => undefined))
    const print = await fingerprint([params, checked, body], form)
    return idempotent(this.db, c, user, print, run)
  }
}

/** `:id` patterns as a regular expression, for 405 and for the document. */
export const matcher = (path: string): RegExp =>
  new RegExp(`^${path.replace(/:[a-z_]+(\{\.\+\})?/g, '[^/]+')}/?$`)

/** Of every POST with `once`. */
export const KEY_USED = { 409: 'The Idempotency-Key was used for another request, or is at work' }

export const fail = (status: number, detail: unknown): never => {
  throw new HttpError(status, detail)
}
export const status = (code: number): ContentfulStatusCode => code as ContentfulStatusCode

/** In lower case, as Postgres writes it: what is compared with an event's payload must be equal. */
export const uuid = z.guid().toLowerCase()
export const uuidParams = z.object({ id: uuid })
/** A whole number in a query. */
export const wholeText = z
  .string()
  .regex(/^\s*[+-]?\d{1,15}(\.0+)?\s*$/, INT_PARSING)
  .transform(Number)
  .pipe(z.number().min(0))
const ON = ['true', '1', 'yes', 'on', 't', 'y']
/** A switch in a query. */
export const switchText = z
  .string()
  .toLowerCase()
  .refine((text) => [...ON, 'false', '0', 'no', 'off', 'f', 'n'].includes(text), BOOL_PARSING)
  .transform((text) => ON.includes(text))
  .optional()

const wholeNumber = (fallback: number, most = Infinity) =>
  z
    .union([wholeText, z.literal('').transform(() => fallback)])
    .optional()
    .transform((value) => Math.min(value ?? fallback, most))
/** Whatever is asked for: `page_count` says how many came. */
const LONGEST_PAGE = 10_000
export const paging = { limit: wholeNumber(25, LONGEST_PAGE), skip: wholeNumber(0) }
/** Of a list that goes on by cursors, too. */
export const cursorPaging = { ...paging, cursor: cursorText }
/** Of a list that is an array: all of it, or by cursors. */
export const arrayPaging = z.object({ limit: paging.limit, cursor: cursorText })
export interface ListPage {
  readonly limit: number
  readonly skip: number
  readonly cursor?: string | undefined
}
