import { sql } from 'kysely'
import type { Config } from '../config.ts'
import { type Db, json } from '../database/database.ts'
import { inTransaction } from '../http/idempotency.ts'
import { newestFirst, newestPage } from '../http/newest.ts'
import { inOrder } from '../http/pages.ts'
import type { ListPage } from '../http/routing.ts'
import { checkRecords } from '../quota/records.ts'
import { checkStored } from '../quota/runs.ts'
import { visible } from '../database/visibility.ts'
import { internalName, type modelInput, type ModelRow } from './schema.ts'
import type { z } from 'zod'

const NEWEST = newestFirst('inf_model')
type Input = z.output<typeof modelInput> & { readonly stored_bytes?: number }

/** Reads and writes of `inf_model`. */
export const modelRepository = (db: Db, config: Config) => {
  const system = config.DEFAULT_SYSTEM_USER
  const live = () => db.selectFrom('inf_model').selectAll().where('deleted', '=', false)
  const readable = (user: string) => visible(user, system, 'model', 'inf_model')

  return {
    /** A new row; an older one of the same name and owner is no longer the latest. */
    create: (user: string, input: Input): Promise<ModelRow> =>
      inTransaction(db, async (trx) => {
        await sql`select pg_advisory_xact_lock(hashtext(${`${user}/${input.display_name}`}))`.execute(
          trx,
        )
        await checkRecords(trx, config, user, 'models')
        await checkStored(trx, config, user)
        const newest = await trx
          .selectFrom('inf_model')
          .select(['version'])
          .where('display_name', '=', input.display_name)
          .where('created_by', 'in', [user, system])
          .where('deleted', '=', false)
          .orderBy('version', 'desc')
          .executeTakeFirst()
        // Only the caller's own rows: a stranger's or the system's stay what they are.
        await trx
          .updateTable('inf_model')
          .set({ latest: false })
          .where('display_name', '=', input.display_name)
          .where('created_by', '=', user)
          .execute()
        const version = newest ? newest.version + 1 : (input.version ?? 1)
        return trx
          .insertInto('inf_model')
          .values({
            internal_name: internalName(input.display_name, version),
            display_name: input.display_name,
            description: input.description ?? null,
            model_url: input.model_url || null,
            pipeline_steps: json(input.pipeline_steps),
            geoserver_push: json(input.geoserver_push),
            model_input_data_spec: json(input.model_input_data_spec),
            postprocessing_options: json(input.postprocessing_options),
            inference: json(input.inference),
            licence: input.licence ?? null,
            mlm: json(input.mlm),
            stored_bytes: input.stored_bytes ?? 0,
            sharable: input.sharable ?? false,
            model_onboarding_config: json(input.model_onboarding_config),
            version,
            created_by: user,
            updated_by: user,
          })
          .returningAll()
          .executeTakeFirstOrThrow()
      }),

    /** Places of a page, newest first, and how many there are in all. */
    list: async (user: string, name: string | undefined, page: ListPage) => {
      const where = live()
        .where(readable(user))
        .$if(!!name, (q) =>
          q.where(sql<boolean>`position(lower(${name}) in lower(internal_name)) > 0`),
        )
      return newestPage(where, NEWEST, page)
    },

    /** Rows of a list's ids; a model's metadata may be large, so a list reads few at a time. */
    listed: async (ids: string[]): Promise<ModelRow[]> =>
      inOrder(ids, await live().where('id', 'in', ids).execute(), ({ id }) => id),

    get: (user: string, id: string) =>
      live().where('id', '=', id).where(readable(user)).executeTakeFirst(),

    /** For an inference: what may be read, and other users' sharable models. */
    usable: (user: string, id: string) =>
      live()
        .where('id', '=', id)
        .where((e) => e.or([readable(user), e('sharable', '=', true)]))
        .executeTakeFirst(),

    /** By name: own before the system's before shared ones, so that no stranger takes a name over. */
    usableByName: (user: string, name: string) =>
      live()
        .where('display_name', '=', name)
        .where('latest', '=', true)
        .where((e) => e.or([readable(user), e('sharable', '=', true)]))
        .orderBy(sql`case created_by when ${user} then 0 when ${system} then 1 else 2 end`)
        .orderBy('created_at', 'desc')
        .executeTakeFirst(),

    /** Applies what is given and not null; false and empty values count. */
    patch: async (user: string, id: string, input: Input): Promise<ModelRow | undefined> => {
      const given = Object.fromEntries(
        Object.entries(input)
          .filter(
            ([key, value]) =>
              value !== null && value !== undefined && !['version', 'latest'].includes(key),
          )
          // An empty URL clears it; null would leave it.
          .map(([key, value]) => [key, key === 'model_url' ? value || null : value])
          .map(([key, value]) => [key, typeof value === 'object' ? json(value) : value]),
      )
      return db
        .updateTable('inf_model')
        .set({ ...given, updated_by: user, updated_at: new Date() })
        .where('id', '=', id)
        .where('created_by', '=', user)
        .where('deleted', '=', false)
        .returningAll()
        .executeTakeFirst()
    },

    setStatus: (id: string, status: string, onboarding: Record<string, unknown>) =>
      db
        .updateTable('inf_model')
        .set({
          status,
          error: null,
          model_onboarding_config: json(onboarding),
          updated_at: new Date(),
        })
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirstOrThrow(),

    remove: async (user: string, id: string): Promise<boolean> => {
      const { numUpdatedRows } = await db
        .updateTable('inf_model')
        .set({ deleted: true, active: false, latest: false, updated_at: new Date() })
        .where('id', '=', id)
        .where('created_by', '=', user)
        .where('deleted', '=', false)
        .executeTakeFirst()
      return numUpdatedRows > 0n
    },
  }
}
export type ModelRepository = ReturnType<typeof modelRepository>
