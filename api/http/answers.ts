import { z } from 'zod'
import type { Ctx } from './context.ts'
import { nextCursor, nextUrl } from './cursors.ts'
import { arrayBody, listBody } from './pages.ts'

/** Schemas of answers by the names that they have in the OpenAPI document. */
export const answerSchemas = z.registry<{ id: string }>()

/** Gives a schema its name in the document, which generated clients take over. */
export const named = <S extends z.ZodType>(id: string, schema: S): S => {
  answerSchemas.add(schema, { id })
  return schema
}

/** What the answer of one status means, what it holds, and one such body. */
export interface Told<S extends z.ZodType = z.ZodType> {
  readonly description: string
  readonly schema: S
  readonly example: Frozen<z.input<S>>
}
export const told = <S extends z.ZodType>(
  description: string,
  schema: S,
  example: Frozen<z.input<S>>,
): Told<S> => ({ description, schema, example })

/** By status; a text alone stands for an error, for no body, or for a body that is not JSON. */
export type Responses = Readonly<Record<number, string | Told>>

type Bodied<R> = { [S in keyof R]: R[S] extends Told ? S : never }[keyof R]
type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T
type BodyOf<R, S extends keyof R> = R[S] extends Told<infer T> ? Frozen<z.input<T>> : never
type EntryOf<R, S extends keyof R, K extends PropertyKey> =
  BodyOf<R, S> extends { [key in K]: readonly (infer Entry)[] } ? Entry : never

declare const checked: unique symbol
/** An answer that was made by a `Reply`: its body is what the route's schema says. */
export type Answer = Response & { readonly [checked]: true }

/** Makes the answers of one route, whose bodies the compiler checks against its schemas. */
export class Reply<R> {
  private readonly c: Ctx

  constructor(c: Ctx) {
    this.c = c
  }

  /** @param text the body as JSON, where it is known already */
  json<S extends Bodied<R>>(status: S, body: BodyOf<R, S>, text = JSON.stringify(body)): Answer {
    const type = { 'Content-Type': 'application/json' }
    return this.c.body(text, status as never, type) as Response as Answer
  }

  /**
   * A body whose last key is a long list, read from the database some rows at a time.
   *
   * @param head what stands before the list, given how many entries it has
   */
  async list<S extends Bodied<R>, K extends keyof BodyOf<R, S> & string, Id>(
    status: S,
    key: K,
    list: {
      readonly head: (count: number) => Omit<BodyOf<R, S>, K>
      readonly ids: readonly Id[]
      readonly read: (ids: Id[]) => Promise<readonly EntryOf<R, S, K>[]>
      readonly rows?: number
    },
  ): Promise<Answer> {
    const body = await listBody(list.head, key, list.ids, list.read, list.rows)
    const type = { 'Content-Type': 'application/json' }
    return this.c.body(body, status as never, type) as Response as Answer
  }

  /** A body that is a list itself, read from the database some rows at a time. */
  async array<S extends Bodied<R>, Id>(
    status: S,
    ids: readonly Id[],
    read: (ids: Id[]) => Promise<BodyOf<R, S> & readonly unknown[]>,
    /** `next_cursor` of what was told, for a list that was asked for by a cursor */
    next: (count: number) => string | null | undefined = () => undefined,
  ): Promise<Answer> {
    const { body, count } = await arrayBody(ids, read)
    const cursor = next(count)
    const headers = {
      'Content-Type': 'application/json',
      ...(cursor ? { Link: `<${nextUrl(this.c.req.url, cursor)}>; rel="next"` } : {}),
    }
    return this.c.body(body, status as never, headers) as Response as Answer
  }

  /** Without a body. */
  empty<S extends Exclude<keyof R, Bodied<R>>>(status: S): Answer {
    return this.c.body(null, status as never) as Response as Answer
  }

  /** A body that is no JSON: a text or a stream. */
  raw(response: Response): Answer {
    return response as Answer
  }
}

/** The body of every error. */
export const errorSchema = named(
  'Error',
  z.object({
    detail: z.union([
      z.string(),
      z.array(
        z.looseObject({
          msg: z.string(),
          type: z.string().optional(),
          loc: z.array(z.union([z.string(), z.number()])).optional(),
        }),
      ),
      z.looseObject({ msg: z.string().optional(), message: z.string().optional() }),
    ]),
  }),
)

/** A time in UTC with six digits of a second. */
export const timeText = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/)
  .meta({ description: 'UTC, YYYY-MM-DDTHH:MM:SS.ffffffZ' })
/** minLon, minLat, maxLon, maxLat; not a tuple, which few client generators know. */
export const bboxArray = z.array(z.number()).length(4).meta({ description: 'WGS84, degrees' })
export const anyObject = z.record(z.string(), z.unknown())
/** Whose a row is and since when. @see time.ts, `stamps` */
export const stampFields = {
  active: z.boolean(),
  created_by: z.string(),
  created_at: timeText,
  updated_at: timeText,
}
/** A page of a list; one that was asked for by a cursor says how it goes on. */
export const pageOf = <S extends z.ZodType>(id: string, entry: S) =>
  named(
    id,
    z.object({
      total_records: z.int().min(0),
      page_count: z.int().min(0),
      next_cursor: nextCursor,
      results: z.array(entry),
    }),
  )
