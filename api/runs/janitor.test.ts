import { expect, test } from 'vitest'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import { StoreError } from '../storage/errors.ts'
import type { Store } from '../storage/store.ts'
import { cleanUp } from './janitor.ts'

/** A database that has these deleted inferences, and nothing else. */
const databaseOf = (ids: readonly string[]): Db => {
  const chain = (rows: readonly unknown[]): object =>
    new Proxy({}, { get: (_, name) => (name === 'execute' ? async () => rows : () => chain(rows)) })
  const selectFrom = (table: string) =>
    chain(table === 'inf_inference' ? ids.map((id) => ({ id })) : [])
  return { selectFrom, deleteFrom: () => chain([]), updateTable: () => chain([]) } as unknown as Db
}

test('what one deleted inference keeps for now keeps no other from being cleaned up', async () => {
  const asked: string[] = []
  const store = {
    tidy: async () => undefined,
    removeBelow: async (id: string) => {
      asked.push(id)
      if (id === 'stuck') throw new StoreError('store.unavailable', 'away')
    },
  } as unknown as Store
  await cleanUp({ db: databaseOf(['stuck', 'after']), store, config: {} as Config })
  expect(asked).toEqual(['stuck', 'after'])
})
