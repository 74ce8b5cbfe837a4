import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { parse } from 'yaml'
import { type ModelMetadata, parseModel } from '../../pipelines/model.ts'
import type { Config } from '../config.ts'
import { type Db, json } from '../database/database.ts'
import { internalName } from './schema.ts'

const folder = join(import.meta.dirname, '../../models')
/** Steps as they are recorded of a model, in this order. */
export const wireSteps = (...names: string[]) =>
  names.map((process_id, step_number) => ({
    status: step_number === 0 ? 'READY' : 'WAITING',
    process_id,
    step_number,
  }))

type Shipped = { display_name: string; description: string } & Record<string, unknown>

/** The two models of GEOStudio that carry no weights. @see docs/wire.md#how-a-model-is-described */
const SANDBOXES: Shipped[] = [
  {
    display_name: 'geofm-sandbox-models',
    description: 'Runs a tune by its fine_tuning_id; options come from the request or the tune.',
    pipeline_steps: wireSteps(
      'terrakit-data-fetch',
      'terratorch-inference',
      'postprocess-generic',
      'push-to-geoserver',
    ),
    model_input_data_spec: [],
    geoserver_push: [],
    postprocessing_options: {},
  },
  {
    display_name: 'add-layer-sandbox-model',
    description: 'Publishes rasters as they are, one layer a URL.',
    pipeline_steps: wireSteps('url-connector', 'push-to-geoserver'),
    model_input_data_spec: [],
    geoserver_push: [],
    postprocessing_options: {},
  },
]

const trainOptions = (raw: Record<string, unknown>) => ({
  model_input_data_spec: raw.model_input_data_spec,
  geoserver_push: raw.geoserver_push ?? [],
  post_processing: raw.postprocessing_options ?? {},
})

/** Writes models/*.yaml as the system's models and tunes; a changed file changes its row. */
export const seedShipped = async (db: Db, config: Config): Promise<void> => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'))
  const read = files.map((name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    const model: ModelMetadata = parseModel(text, name)
    return { model, raw: parse(text) as Shipped }
  })
  const system = config.DEFAULT_SYSTEM_USER
  await db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(4280)`.execute(trx)
    for (const raw of [...SANDBOXES, ...read.map(({ raw }) => raw)]) {
      const row = {
        description: raw.description,
        pipeline_steps: json(raw.pipeline_steps),
        geoserver_push: json(raw.geoserver_push),
        model_input_data_spec: json(raw.model_input_data_spec),
        postprocessing_options: json(raw.postprocessing_options),
        inference: json(raw.inference),
        licence: (raw.licence as string | undefined) ?? null,
        sharable: true,
        status: raw.inference ? 'COMPLETED' : 'PENDING',
        updated_by: system,
      }
      const found = await trx
        .selectFrom('inf_model')
        .select('id')
        .where('created_by', '=', system)
        .where('display_name', '=', raw.display_name)
        .where('deleted', '=', false)
        .executeTakeFirst()
      if (found) await trx.updateTable('inf_model').set(row).where('id', '=', found.id).execute()
      else
        await trx
          .insertInto('inf_model')
          .values({
            ...row,
            model_url: null,
            model_onboarding_config: null,
            display_name: raw.display_name,
            internal_name: internalName(raw.display_name, 1),
            created_by: system,
          })
          .execute()
    }
    for (const { model, raw } of read) {
      const row = {
        name: model.display_name,
        description: model.description,
        train_options: JSON.stringify(trainOptions(raw)),
        inference: JSON.stringify(model.inference),
        created_by: system,
      }
      await trx
        .insertInto('tune')
        .values({ id: `geotune-${model.display_name}`, ...row })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
        .execute()
    }
  })
}
