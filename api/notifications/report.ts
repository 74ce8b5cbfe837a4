import type { z } from 'zod'
import type { Db } from '../database/database.ts'
import { HttpError, problemsOf } from '../http/errors.ts'
import { addLayers, layersDetail } from '../inference/layers.ts'
import { lockInference, recount } from '../inference/counts.ts'
import { addError } from '../inference/events.ts'
import { userText } from './error-table.ts'

interface Event {
  readonly detail_type: string
  readonly detail: Record<string, unknown>
}

const FAILED = ['Inf:Task:Error', 'Inf:Task:Failed']
const COMPLETES = ['RUNNING', 'PARTIALLY_COMPLETED', 'PUBLISHING_RESULTS', 'COMPLETED']

const errorText = (detail: Record<string, unknown>): string =>
  userText(detail.error_code) ?? String(detail.error ?? detail.message ?? 'Unknown error.')

/** An event as it is kept and streamed: codes become what a user can read. */
export const toldAs = ({ detail_type, detail }: Event): Event => {
  if (FAILED.includes(detail_type))
    return { detail_type: 'Inf:Task:Error', detail: { error: errorText(detail) } }
  const text = detail_type === 'Inf:Task:Notify' ? userText(detail.error_code) : undefined
  if (text === undefined) return { detail_type, detail }
  return { detail_type, detail: { ...detail, error_code: text, error: detail.error ?? text } }
}

const checkMove = async (trx: Db, id: string, to: string, from: string[]): Promise<void> => {
  const { status } = await trx
    .selectFrom('inf_inference')
    .select('status')
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  if (!from.includes(status))
    throw new HttpError(422, `Invalid state transition: ${status} -> ${to}`)
}

const layersOf = (detail: Record<string, unknown>): z.output<typeof layersDetail> => {
  const parsed = layersDetail.safeParse(detail)
  if (parsed.success) return parsed.data
  const problems = problemsOf(parsed.error, detail, 'body')
  throw new HttpError(
    422,
    problems.map(({ loc: [place, ...rest], ...more }) => ({
      ...more,
      loc: [place, 'detail', ...rest],
    })),
  )
}

/** A failure that a service reports is read by REST too, as the runner's own are. */
const keepError = async (trx: Db, id: string, detail: Record<string, unknown>): Promise<void> => {
  const code = detail.error_code === undefined ? 'service' : String(detail.error_code)
  const message = errorText(detail)
  await addError(trx, id, { code, message, task_id: detail.task_id ?? null })
}

/**
 * What an event does to its inference, under its lock; in the caller's transaction.
 *
 * @throws HttpError 422 for a move of states that does not exist
 * @see docs/wire.md#notifications
 */
export const applyEvent = async (
  trx: Db,
  id: string,
  { detail_type, detail }: Event,
  system: string,
): Promise<void> => {
  await lockInference(trx, id)
  if (FAILED.includes(detail_type)) return keepError(trx, id, detail)
  if (detail_type === 'Inf:Task:LayerReady') return addLayers(trx, id, layersOf(detail))
  if (detail_type === 'Inf:Task:AddLayerComplete') {
    await checkMove(trx, id, 'COMPLETED', COMPLETES)
    return addLayers(trx, id, layersOf(detail))
  }
  if (detail_type === 'Inf:Task:PendingGeoserver')
    return checkMove(trx, id, 'PUBLISHING_RESULTS', [])
  if (detail_type === 'Inf:Task:Updated') await recount(trx, id, system)
}
