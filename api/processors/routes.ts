import type { Selectable } from 'kysely'
import { z } from 'zod'
import type { Config } from '../config.ts'
import { type Database, type Db, json } from '../database/database.ts'
import { HttpError, problemsOf } from '../http/errors.ts'
import { told } from '../http/answers.ts'
import { parseJson } from '../http/json.ts'
import type { Ctx } from '../http/context.ts'
import { cursorPaging, fail, KEY_USED, type Router, uuidParams } from '../http/routing.ts'
import { pageHead } from '../http/cursors.ts'
import { newestFirst, newestPage } from '../http/newest.ts'
import { inOrder } from '../http/pages.ts'
import { checkRecords } from '../quota/records.ts'
import { checkStored } from '../quota/runs.ts'
import { PROCESSORS } from '../storage/keys.ts'
import { LIFETIME, type Store } from '../storage/store.ts'
import { stamps } from '../http/time.ts'
import { aProcessor, processor, processors } from './answers.ts'
import { checkScript, scriptName } from './check.ts'

const NEWEST = newestFirst('inf_generic_processor')
const tag = 'Generic processors'
const path = '/v2/generic-processor'
const one = `${path}/:id`
const NOT_FOUND = 'Generic Processor component not found'

const metadata = z.object({
  name: z.string().min(1).max(100),
  description: z.string().nullish(),
  processor_parameters: z.record(z.string(), z.json()).nullish(),
})
type Row = Selectable<Database['inf_generic_processor']>

/** The object's key in the store; `processor_file_path` is what clients see. */
export const processorKey = (file: string): string => `${PROCESSORS}/${file}`

const answer = (row: Row, url: string | null) => ({
  name: row.name,
  description: row.description,
  processor_parameters: row.processor_parameters,
  id: row.id,
  ...stamps(row),
  status: row.status,
  processor_file_path: row.processor_file_path,
  processor_presigned_url: url,
})

const missing = (field: string) => ({
  type: 'missing',
  loc: ['body', field],
  msg: 'Field required',
  input: null,
})

const readMetadata = (text: string): z.output<typeof metadata> => {
  let document: unknown
  try {
    document = parseJson(text, 'generic_processor_metadata')
  } catch (error) {
    if (error instanceof HttpError) throw error
    throw new HttpError(422, `generic_processor_metadata is not JSON: ${(error as Error).message}`)
  }
  const parsed = metadata.safeParse(document)
  if (parsed.success) return parsed.data
  const problems = problemsOf(parsed.error, document, 'generic_processor_metadata')
  throw new HttpError(422, problems.map(({ loc, msg }) => `${loc.join('.')}: ${msg}`).join('; '))
}

const readParts = async (c: Ctx): Promise<{ file: File; meta: z.output<typeof metadata> }> => {
  const form = await c.req.parseBody().catch(() => ({}) as Record<string, string | File>)
  const file = form.generic_processor_file
  const given = form.generic_processor_metadata ?? form.generic_processor
  const problems = [
    ...(file instanceof File ? [] : [missing('generic_processor_file')]),
    ...(given === undefined ? [missing('generic_processor_metadata')] : []),
  ]
  if (problems.length) throw new HttpError(422, problems)
  return {
    file: file as File,
    meta: readMetadata(given instanceof File ? await given.text() : String(given)),
  }
}

/** `/v2/generic-processor`. @see docs/wire.md */
export const processorRoutes = (
  router: Router,
  { db, config, store }: { db: Db; config: Config; store: Store },
): void => {
  const live = (user: string) =>
    db
      .selectFrom('inf_generic_processor')
      .selectAll()
      .where('created_by', 'in', [user, config.DEFAULT_SYSTEM_USER])
      .where('deleted', '=', false)

  router.add(
    {
      ...{ method: 'post', path, tag, summary: 'Upload a Python script' },
      multipart: { generic_processor_file: 'file', generic_processor_metadata: 'text' },
      once: true,
      responses: {
        ...KEY_USED,
        201: told('The processor', processor, aProcessor),
        502: 'The object store did not take the file',
      },
    },
    async ({ c, reply, db, user }) => {
      const { file, meta } = await readParts(c)
      const name = scriptName(file.name)
      const bytes = Buffer.from(await file.arrayBuffer())
      const script = checkScript(bytes)
      await checkRecords(db, config, user, 'processors')
      await checkStored(db, config, user)
      const id = crypto.randomUUID()
      const file_path = `${id}/${name}`
      let status = 'FINISHED'
      try {
        await store.put(processorKey(file_path), script)
      } catch {
        status = 'FAILED'
      }
      const row = await db
        .insertInto('inf_generic_processor')
        .values({
          id,
          name: meta.name,
          description: meta.description ?? null,
          processor_parameters: json(meta.processor_parameters),
          processor_file_path: file_path,
          stored_bytes: script.length,
          status,
          created_by: user,
          updated_by: user,
        })
        .returningAll()
        .executeTakeFirstOrThrow()
      if (status === 'FAILED')
        return fail(502, {
          message: 'Failed uploading generic processor file to object storage; try again.',
        })
      return reply.json(201, answer(row, null))
    },
  )
  router.add(
    {
      ...{ method: 'get', path, tag, summary: 'List processors, newest first' },
      query: z.object(cursorPaging),
      responses: {
        200: told('Processors', processors, {
          ...{ total_records: 1, page_count: 1 },
          results: [aProcessor],
        }),
      },
    },
    async ({ reply, user, query }) => {
      const { places, total } = await newestPage(live(user), NEWEST, query)
      const ids = places.map(([, id]) => id)
      const head = pageHead(total, places, query)
      const read = async (some: string[]) => {
        const rows = await live(user).where('id', 'in', some).execute()
        return inOrder(some, rows, ({ id }) => id).map((row) => answer(row, null))
      }
      return reply.list(200, 'results', { head, ids, read })
    },
  )
  router.add(
    {
      ...{ method: 'get', path: one, tag, summary: 'Get a processor with a URL of its file (8 h)' },
      params: uuidParams,
      responses: { 200: told('The processor', processor, aProcessor), 404: NOT_FOUND },
    },
    async ({ reply, user, params }) => {
      const row = await live(user).where('id', '=', params.id).executeTakeFirst()
      if (!row) return fail(404, NOT_FOUND)
      const url = await store.signGet(processorKey(row.processor_file_path!), LIFETIME.processor)
      return reply.json(200, answer(row, url))
    },
  )
  router.add(
    {
      ...{ method: 'delete', path: one, tag, summary: 'Delete a processor' },
      params: uuidParams,
      responses: { 204: 'Gone', 404: NOT_FOUND },
    },
    async ({ reply, user, params }) => {
      const { numUpdatedRows } = await db
        .updateTable('inf_generic_processor')
        .set({ deleted: true, active: false, updated_at: new Date(), updated_by: user })
        .where('id', '=', params.id)
        .where('created_by', '=', user)
        .where('deleted', '=', false)
        .executeTakeFirst()
      if (numUpdatedRows) return reply.empty(204)
      const seen = await live(user).where('id', '=', params.id).executeTakeFirst()
      return fail(404, seen ? 'Missing permissions to delete this record.' : NOT_FOUND)
    },
  )
}
