import { log } from './watch/log.ts'
import type { Config } from './config.ts'
import type { Db } from './database/database.ts'
import { recountOpen } from './inference/counts.ts'
import { removeOld } from './retention.ts'
import { forgetCounts } from './auth/shared-limit.ts'
import { purgeProcessors } from './processors/purge.ts'
import { expireUploads } from './quota/uploads.ts'
import type { Store } from './storage/store.ts'

const EVERY_MS = 10 * 60_000

/** What the API does now and then, in each of its processes: it does no harm twice. */
const tidy = async (db: Db, store: Store, config: Config): Promise<void> => {
  for (const day of await expireUploads(store, config.UPLOAD_DAYS))
    log.info(`uploads of ${day} are over and were removed`)
  await purgeProcessors(db, store)
  for (const id of await recountOpen(db, config.DEFAULT_SYSTEM_USER))
    log.warn({ inference: id }, `the counts of inference ${id} were wrong and were put right`)
  await forgetCounts(db, config.RATELIMIT_WINDOW)
  const removed = Object.entries(await removeOld(db, store, config.RETENTION_DAYS))
  const words = removed.map(([what, count]) => `${count} ${what}`).join(', ')
  if (words) log.info(`removed after ${config.RETENTION_DAYS} days: ${words}`)
}

/** Starts it; at once, then every ten minutes. @returns what ends it */
export const startHousekeeping = (db: Db, store: Store, config: Config): (() => Promise<void>) => {
  let working: Promise<void> = Promise.resolve()
  const run = () => {
    working = tidy(db, store, config).catch((error) =>
      log.error(`housekeeping: ${String((error as Error).message).slice(0, 200)}`),
    )
  }
  run()
  const timer = setInterval(run, EVERY_MS)
  return async () => {
    clearInterval(timer)
    await working
  }
}
