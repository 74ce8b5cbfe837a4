import { sql } from 'kysely'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import { overQuota } from './runs.ts'

/** What a user makes and keeps, and whether deleted rows of it stay for a while. */
const TABLES = {
  models: ['inf_model', true],
  processors: ['inf_generic_processor', true],
  tunes: ['tune', false],
  groups: ['groups', false],
} as const
export type Records = keyof typeof TABLES

/** Whether a user may make one more. @throws HttpError 429 `quota.records` */
export const checkRecords = async (
  db: Db,
  { QUOTA_RECORDS }: Config,
  user: string,
  records: Records,
): Promise<void> => {
  const [table, marked] = TABLES[records]
  const { rows } = await sql<{ count: string }>`
    select count(*) as count from ${sql.table(table)}
    where created_by = ${user} ${sql.raw(marked ? 'and not deleted' : '')}`.execute(db)
  if (Number(rows[0]!.count) >= QUOTA_RECORDS)
    throw overQuota(
      'quota.records',
      `You have ${rows[0]!.count} ${records}, and at most ${QUOTA_RECORDS} may be kept (QUOTA_RECORDS): delete some that you no longer need.`,
    )
}
