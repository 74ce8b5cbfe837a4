import type { Selectable } from 'kysely'
import { z } from 'zod'
import type { Database } from '../database/database.ts'
import type { Config } from '../config.ts'
import { anyObject, named, pageOf, stampFields, timeText } from '../http/answers.ts'
import { uuid } from '../http/routing.ts'
import { stamps } from '../http/time.ts'
import { exportError } from '../models/answers.ts'

export const tuneSchema = named(
  'Tune',
  z.looseObject({
    id: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    status: z.string(),
    train_options: anyObject,
    shared: z.boolean(),
    metrics: z.array(anyObject).meta({ description: 'None: tunes are not trained here' }),
    ...stampFields,
    error: exportError,
    logs_presigned_url: z
      .string()
      .nullish()
      .meta({ description: 'The log of its export, live while it runs' }),
  }),
)
export const tunesSchema = pageOf('Tunes', tuneSchema)
export const aTune = {
  id: 'geotune-flood',
  name: 'flood',
  description: null,
  status: 'Finished',
  train_options: {},
  shared: false,
  metrics: [],
  active: true,
  created_by: 'anna@example.org',
  created_at: '2026-01-01T12:00:00.000000Z',
  updated_at: '2026-01-01T12:00:00.000000Z',
}

/** A tune as clients read it: without how it is run, and with what its export ended with. */
export const tuneAnswer = (
  {
    created_by,
    created_at,
    updated_at,
    inference: _inference,
    stored_bytes: _bytes,
    error,
    ...row
  }: Selectable<Database['tune']>,
  config: Config,
) => ({
  ...row,
  shared: created_by === config.DEFAULT_SYSTEM_USER,
  metrics: [],
  ...stamps({ active: true, created_by, created_at, updated_at }),
  ...(error ? { error } : {}),
})

/** A tune or a model, as the list of both says it. */
const eitherSchema = named(
  'TuneOrModel',
  z.object({
    id: z.string().meta({ description: 'Of a tune its id, of a model its internal name' }),
    model_id: uuid.nullish().meta({ description: 'Of a model, for /v2/models/{id}' }),
    name: z.string(),
    status: z.string(),
    shared: z.boolean(),
    description: z.string(),
    model_type: z.enum(['Tune', 'Model']),
    active_: z.boolean(),
    created_by_: z.string(),
    created_at_: timeText,
    updated_at_: timeText,
  }),
)
export const bothSchema = pageOf('TunesAndModels', eitherSchema)

/** Of a training by MLflow: geodag has none, so that there are no runs. */
export const metricsSchema = named(
  'TuneMetrics',
  z.object({
    id: z.string(),
    status: z.string(),
    runs: z.array(anyObject),
    details: z.string(),
  }),
)
export const changedSchema = named('TuneChanged', tuneSchema.extend({ message: z.string() }))

export const downloadSchema = named(
  'TuneFiles',
  tuneSchema.extend({ config_url: z.string().optional(), checkpoint_url: z.string().optional() }),
)
export const uploadSchema = named(
  'TuneUpload',
  z.object({ message: z.string(), tune_id: z.string() }),
)
