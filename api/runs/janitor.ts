import { log } from '../watch/log.ts'
import { sql } from 'kysely'
import { TASK_ENDS } from '../../pipelines/status.ts'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import { purge } from '../inference/purge.ts'
import type { Store } from '../storage/store.ts'
import { forgetEngines } from './engines.ts'
import { sweepScratch } from './scratch.ts'
import { keepHeard } from './step-logs.ts'

/** Rows looked at in one round: what is left is the next round's. */
const MOST = 200
/** What ended a moment ago is still being written by its own runner. */
const SETTLED = sql<Date>`now() - interval '30 seconds'`

interface Deps {
  readonly db: Db
  readonly store: Store
  readonly config: Config
}

const purgeDeleted = async (deps: Deps): Promise<void> => {
  const rows = await deps.db
    .selectFrom('inf_inference')
    .select('id')
    .where('deleted', '=', true)
    .where('purged', '=', false)
    .where('updated_at', '<', SETTLED)
    .limit(MOST)
    .execute()
  // One whose layers cannot be removed now keeps no other.
  for (const { id } of rows)
    await purge(deps, id).catch((error: Error) =>
      log.error({ inference: id }, `what it made stays for now: ${error.message}`),
    )
}

const keepLeftLogs = async (deps: Deps): Promise<void> => {
  const heard = deps.db.selectFrom('step_log').select('task_id').distinct()
  const rows = await deps.db
    .selectFrom('inf_task')
    .select(['task_id', 'inference_id'])
    .where('task_id', 'in', heard)
    .where('status', 'in', TASK_ENDS)
    .where('updated_at', '<', SETTLED)
    .limit(MOST)
    .execute()
  for (const row of rows) await keepHeard(deps, row)
}

/** Cleans up after processes that were killed; what can't be done now is done in a later round. */
export const cleanUp = async (deps: Deps): Promise<void> => {
  const parts = [
    () => sweepScratch(),
    () => deps.store.tidy(),
    purgeDeleted,
    keepLeftLogs,
    ({ db }: Deps) => forgetEngines(db),
  ]
  for (const part of parts)
    await part(deps).catch((error: unknown) =>
      log.error(`cleaning up: ${String((error as Error).message ?? error)}`),
    )
}
