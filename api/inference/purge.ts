import type { Db } from '../database/database.ts'
import type { Store } from '../storage/store.ts'

/** Objects and log rows of an inference that was deleted. @throws StoreError while the store is away */
export const purge = async (
  { db, store }: { readonly db: Db; readonly store: Store },
  id: string,
): Promise<void> => {
  const tasks = db.selectFrom('inf_task').select('task_id').where('inference_id', '=', id)
  await db.deleteFrom('step_log').where('task_id', 'in', tasks).execute()
  await store.removeBelow(id)
  await db.updateTable('inf_inference').set({ purged: true }).where('id', '=', id).execute()
}
