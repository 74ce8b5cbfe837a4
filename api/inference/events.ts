import { sql } from 'kysely'
import { type Db, json, notify } from '../database/database.ts'

/** Of an inference whose every task fails, what is kept to be read; the rest is counted. */
const MOST_ERRORS = 100

/** Stores an event and wakes the streams of that inference when the transaction commits. */
export const publish = async (
  trx: Db,
  id: string,
  type: string,
  detail: Record<string, unknown>,
  by: string,
): Promise<void> => {
  await trx
    .insertInto('notification')
    .values({
      event_id: id,
      inference_id: id,
      detail_type: type,
      detail: json(detail),
      source: 'geodag.inference',
      created_by: by,
      // Not now(), which is when the transaction began: one that waited for the lock would be told
      // as older than what was written meanwhile.
      timestamp: sql<Date>`clock_timestamp()`,
    })
    .execute()
  await notify(trx, 'geodag_event', id)
}

/** Why something failed, on the inference, readable by REST; under `lockInference`. */
export const addError = async (
  trx: Db,
  id: string,
  error: { readonly code: string; readonly message: string; readonly [more: string]: unknown },
): Promise<void> => {
  const { inference_output } = await trx
    .selectFrom('inf_inference')
    .select('inference_output')
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  const held = Array.isArray(inference_output?.errors) ? inference_output.errors : []
  const kept =
    held.length < MOST_ERRORS
      ? { errors: [...held, error] }
      : { errors_omitted: Number(inference_output?.errors_omitted ?? 0) + 1 }
  await trx
    .updateTable('inf_inference')
    .set({
      inference_output: json({ ...inference_output, ...kept }),
      updated_at: sql`now()`,
    })
    .where('id', '=', id)
    .execute()
}
