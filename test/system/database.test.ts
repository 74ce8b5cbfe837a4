import { sql } from 'kysely'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabase, persist } from '../../api/database/database.ts'
import { Listener } from '../../api/database/listener.ts'
import { freshDatabase, startPostgres, type TestPostgres } from '../support/services.ts'

let postgres: TestPostgres
let url: string
beforeAll(async () => {
  postgres = await startPostgres()
  url = await freshDatabase(postgres.url)
})
afterAll(() => postgres.stop())

const ask = async (statement: string): Promise<any[]> => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query(statement)
  await client.end()
  return rows
}

test('a connection lost inside a transaction ends the transaction, not the process', async () => {
  const db = openDatabase(url, 2)
  let tries = 0
  const answer = await persist(() =>
    db.transaction().execute(async (trx) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(trx)
      if (++tries === 1) {
        await ask(`select pg_terminate_backend(${rows[0]!.pid})`)
        // Between two statements: there is no query that could be rejected.
        await new Promise((done) => setTimeout(done, 200))
      }
      return (await sql<{ n: number }>`select 7 as n`.execute(trx)).rows[0]!.n
    }),
  )
  expect([answer, tries]).toEqual([7, 2])
  await db.destroy()
})

test('after Postgres was away one connection listens, and hears again', async () => {
  const listener = new Listener(url)
  await listener.open()
  const heard = new Promise((done) => listener.once('geodag_task', done))
  const back = new Promise((done) => listener.once('reconnected', done))
  if (postgres.restart) await postgres.restart()
  else
    await ask(`select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen %'`)
  await back
  const listening = await ask(`select 1 from pg_stat_activity where query like 'listen %'`)
  expect(listening).toHaveLength(1)
  await ask(`select pg_notify('geodag_task', 'x')`)
  expect(await heard).toBe('x')
  await listener.close()
})
