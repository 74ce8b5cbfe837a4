import { expect, test } from 'vitest'
import type { Db } from '../database/database.ts'
import type { Listener } from '../database/listener.ts'
import { StoreError } from '../storage/errors.ts'
import type { Store } from '../storage/store.ts'
import { followed, logReader } from './log.ts'

/** A task's rows and object that move from the one to the other between two looks. */
const moving = (options: { status: string; moves: 'before rows' | 'never' | 'gone' }) => {
  let rows = options.moves === 'gone' ? [] : [{ seq: '1', text: 'heard\n' }]
  let object: string | undefined
  const looks: string[] = []
  const query = (table: string) => {
    const chain: Record<string, () => unknown> = {
      execute: async () => {
        looks.push('rows')
        // The runner has just put the object and taken the rows away.
        if (options.moves === 'before rows') [object, rows] = ['whole\n', []]
        return rows
      },
      executeTakeFirst: async () => ({
        pipeline_steps: [{ process_id: 'a', status: options.status }],
      }),
    }
    for (const name of ['innerJoin', 'select', 'where', 'orderBy']) chain[name] = () => chain
    return { inf_task: chain, step_log: chain }[table]
  }
  const store = {
    get: async (key: string) => {
      looks.push('store')
      if (object === undefined) throw new StoreError('store.missing', `no ${key}`)
      return Buffer.from(object)
    },
  }
  const reader = logReader(
    { selectFrom: query } as unknown as Db,
    store as unknown as Store,
    {} as Listener,
  )
  return { looks, read: () => reader.whole('i', 'i-task_0', 'a') }
}

test.each(['FINISHED', 'FAILED', 'STOPPED', 'RUNNING'])(
  'a log that moves to the store while it is read is found: %s',
  async (status) => {
    expect(await moving({ status, moves: 'before rows' }).read()).toBe('whole\n')
  },
)

test('rows are read where there is no object yet, and nothing is nothing', async () => {
  expect(await moving({ status: 'FAILED', moves: 'never' }).read()).toBe('heard\n')
  expect(await moving({ status: 'RUNNING', moves: 'never' }).read()).toBe('heard\n')
  expect(await moving({ status: 'FAILED', moves: 'gone' }).read()).toBeUndefined()
})

test.each([
  ['one\ntwo\n', 'Task ID: a\none\ntwo\nthree\nReturn code: 0\n', 'three\nReturn code: 0\n'],
  ['one\n2\n', 'Task ID: a\none\ntwo\n2\nthree\n', 'three\n'],
  ['one\ntw', 'Task ID: a\none\ntwo\n', 'o\n'],
  ['', 'Task ID: a\none\n', 'Task ID: a\none\n'],
  ['one\n', 'one\n', ''],
  ['one\n', 'the log of an earlier try\n', ''],
  ['one\n', undefined, ''],
])(
  'a log that is followed has its last lines though they moved: %j, then %j',
  async (heard, all, rest) => {
    let looks = 0
    const texts = followed({
      abort: new AbortController().signal,
      look: async () => looks++ < 1,
      // The rows were moved to the store between the first look and the second.
      since: async () => (looks === 1 && heard ? [{ seq: '1', text: heard }] : []),
      whole: async () => all,
      pause: async () => undefined,
    })
    let told = ''
    for await (const text of texts) told += text
    expect(told).toBe(heard + rest)
  },
)
