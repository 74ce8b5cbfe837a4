import type { Selectable } from 'kysely'
import { z } from 'zod'
import type { Database } from '../database/database.ts'
import { anyObject, named, pageOf, timeText } from '../http/answers.ts'
import { wireTime } from '../http/time.ts'

export const tuneSchema = named(
  'Tune',
  z.looseObject({
    id: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    status: z.string(),
    train_options: anyObject,
    created_by: z.string(),
    created_at: timeText,
    error: z
      .object({ code: z.string(), message: z.string() })
      .optional()
      .meta({ description: 'Why its export has failed' }),
    logs_presigned_url: z.string().optional().meta({ description: 'The log of its export' }),
  }),
)
export const tunesSchema = pageOf('Tunes', tuneSchema)
export const aTune = {
  id: 'geotune-flood',
  name: 'flood',
  description: null,
  status: 'Finished',
  train_options: {},
  created_by: 'anna@example.org',
  created_at: '2026-01-01T12:00:00.000000Z',
}

/** A tune as clients read it: without how it is run, and with what its export ended with. */
export const tuneAnswer = ({
  created_at,
  inference: _inference,
  stored_bytes: _bytes,
  error,
  ...row
}: Selectable<Database['tune']>) => ({
  ...row,
  ...(error ? { error } : {}),
  created_at: wireTime(created_at),
})

export const downloadSchema = named(
  'TuneFiles',
  tuneSchema.extend({ config_url: z.string().optional(), checkpoint_url: z.string().optional() }),
)
export const uploadSchema = named(
  'TuneUpload',
  z.object({ message: z.string(), tune_id: z.string() }),
)
