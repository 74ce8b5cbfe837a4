import type { Db } from '../database/database.ts'
import type { Store } from '../storage/store.ts'

const BATCH = 100

/**
 * Removes the files of deleted processors that no unfinished inference runs; its own copy of the
 * script is in each task's plan, but one that is still to be planned reads the file.
 *
 * @returns how many were removed
 * @throws StoreError while the store is away
 */
export const purgeProcessors = async (db: Db, store: Store): Promise<number> => {
  const rows = await db
    .selectFrom('inf_generic_processor as processor')
    .select(['id', 'processor_file_path'])
    .where('deleted', '=', true)
    .where('stored_bytes', '>', 0 as never)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('inf_inference')
            .select('inf_inference.id')
            .whereRef('inf_inference.generic_processor_id', '=', 'processor.id')
            .where('inf_inference.status', 'in', ['PENDING', 'RUNNING']),
        ),
      ),
    )
    .limit(BATCH)
    .execute()
  for (const { id, processor_file_path } of rows) {
    const [folder] = (processor_file_path ?? '').split('/')
    if (folder) await store.removeBelow(`generic-processor/${folder}`)
    await db
      .updateTable('inf_generic_processor')
      .set({ stored_bytes: 0 })
      .where('id', '=', id)
      .execute()
  }
  return rows.length
}
