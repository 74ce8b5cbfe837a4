import { log } from '../watch/log.ts'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import type { Store } from '../storage/store.ts'
import { unpublish } from './unpublish.ts'

interface Deps {
  readonly db: Db
  readonly store: Store
  readonly config: Config
}

/** Objects and log rows of an inference that was deleted. @throws StoreError while the store is away */
const removeObjects = async ({ db, store }: Deps, id: string): Promise<void> => {
  const tasks = db.selectFrom('inf_task').select('task_id').where('inference_id', '=', id)
  await db.deleteFrom('step_log').where('task_id', 'in', tasks).execute()
  await store.removeBelow(id)
}

/**
 * All that a deleted inference left: objects, logs, and its layers on the GeoServer.
 *
 * @throws StoreError while the store is away; PushError while GeoServer is
 */
export const purge = async (deps: Deps, id: string): Promise<void> => {
  await removeObjects(deps, id)
  await unpublish(deps, id)
  await deps.db.updateTable('inf_inference').set({ purged: true }).where('id', '=', id).execute()
}

/**
 * The same when it was deleted a moment ago, without the word that all is gone: a runner that is
 * stopped may still be writing, and be killed before it cleans up. A runner's round does it once more.
 */
export const purgeNow = async (deps: Deps, id: string): Promise<void> => {
  await removeObjects(deps, id)
  const layers = unpublish(deps, id)
  if (!deps.config.GEOSERVER_URL) return void (await layers)
  layers.catch((error: Error) =>
    log.error({ inference: id }, `layers stay for now: ${error.message}`),
  )
}
