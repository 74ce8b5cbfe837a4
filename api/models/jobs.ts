import { sql } from 'kysely'
import { type Db, json, notify } from '../database/database.ts'
import { HttpError } from '../http/errors.ts'
import { openTraceparent } from '../watch/tracing.ts'

/** Asks a runner to bring a tune's or a model's files and to export them; in the caller's transaction. */
export const queueJob = async (
  trx: Db,
  of: { readonly tune_id: string } | { readonly model_id: string },
  urls: { readonly config_url: string; readonly checkpoint_url: string },
): Promise<void> => {
  await trx
    .insertInto('model_job')
    .values({
      tune_id: null,
      model_id: null,
      ...of,
      ...urls,
      traceparent: openTraceparent() ?? null,
    })
    .execute()
  await notify(trx, 'geodag_task', '')
}

/** An address of one of a model's files. @throws HttpError 422 */
export const fileUrl = (value: unknown, field: string): string => {
  const text = String(value)
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && text.length <= 8000)
    return text
  throw new HttpError(422, [
    {
      type: 'value_error',
      loc: ['body', field],
      msg: `Value error, ${field} must be an http(s) URL: upload the file by GET /v2/file-share and give its download_url`,
    },
  ])
}

/** The name of an export among the steps that a log was heard of. */
export const EXPORT = 'export'

/** Where the log of an export is kept. */
export const exportLogKey = (id: string): string => `tune-tasks/${id}/export.log`

/** What a finished export says of its model's files, and what they take in the store. */
export interface Brought {
  readonly inference: Record<string, unknown>
  readonly bytes: number
}

/** Whether any model, tune or open inference still names a file. */
export const isNamed = async (db: Db, sha256: string): Promise<boolean> => {
  const { rows } = await sql<{ named: boolean }>`select
    exists(select from tune where position(${sha256} in inference::text) > 0)
    or exists(select from inf_model
      where not deleted and position(${sha256} in inference::text) > 0)
    or exists(select from inf_inference where not deleted and status in ('PENDING', 'RUNNING')
      and position(${sha256} in inference_config::text) > 0) as named`.execute(db)
  return rows[0]!.named
}

/** The end of a tune's or a model's export, as clients read it. */
export const settleJob = async (
  trx: Db,
  job: { readonly tune_id: string | null; readonly model_id: string | null },
  end: { readonly error: { code: string; message: string } } | Brought,
): Promise<void> => {
  const failed = 'error' in end
  if (job.tune_id) {
    const row = failed
      ? { status: 'Failed', error: json(end.error) }
      : { status: 'Finished', error: null, inference: json(end.inference), stored_bytes: end.bytes }
    await trx
      .updateTable('tune')
      .set({ ...row, updated_at: new Date() })
      .where('id', '=', job.tune_id)
      .execute()
    return
  }
  const { pipeline_steps } = await trx
    .selectFrom('inf_model')
    .select('pipeline_steps')
    .where('id', '=', job.model_id!)
    .executeTakeFirstOrThrow()
  const row = failed
    ? { status: 'DEPLOY_FAILED', error: json(end.error), updated_at: new Date() }
    : {
        status: 'COMPLETED',
        error: null,
        inference: json(end.inference),
        stored_bytes: end.bytes,
        pipeline_steps: json(servedHere(pipeline_steps)),
        updated_at: new Date(),
      }
  await trx.updateTable('inf_model').set(row).where('id', '=', job.model_id!).execute()
}

/** A model that geodag runs itself has no server at a `model_url`. */
export const servedHere = <S extends { process_id: string }>(
  steps: readonly S[] | null,
): S[] | null =>
  steps?.map((step) =>
    step.process_id === 'run-inference' ? { ...step, process_id: 'terratorch-inference' } : step,
  ) ?? null
