import { expect, test } from 'vitest'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import { StoreError } from '../storage/errors.ts'
import type { Recorder, TaskRow } from './record.ts'
import { EngineAway, SessionLost } from './session.ts'
import { settle, StepEnded } from './settle.ts'

/** What is recorded of a try that ended with `error`: the calls, in order. */
const settled = async (
  error: unknown,
  answers: { retry?: boolean; bereft?: boolean } = {},
  process_id = 'a',
) => {
  const calls: unknown[][] = []
  const call =
    (name: string, answer?: boolean) =>
    async (_row: unknown, _number: number, why: { code: string; message: string } | string) => {
      calls.push(typeof why === 'string' ? [name, why] : [name, why.code, why.message])
      return answer
    }
  const recorder = {
    retry: call('retry', answers.retry ?? true),
    bereft: call('bereft', answers.bereft ?? true),
    postpone: call('postpone'),
    failed: call('failed'),
  } as unknown as Recorder
  const heard: string[] = []
  const db = {
    insertInto: () => ({
      values: ({ text }: { text: string }) => ({ execute: async () => void heard.push(text) }),
    }),
  } as unknown as Db
  const config = { dataFolder: '/srv/data', MAX_DEATHS: 5 } as Config
  const row = { pipeline_steps: [{ process_id }] } as unknown as TaskRow
  await settle({ db, recorder, config }, row, 0, error, '/tmp/geodag-run-x')
  return { calls, heard, ended: calls.at(-1)![0] }
}
const ended = (code: string, passes = false) =>
  new StepEnded(0, { code, message: 'why' }, { passes })

test.each<[string, unknown, string]>([
  ['a script that failed', ended('processor.failed'), 'failed'],
  ['a host that does not answer', ended('source.unreachable'), 'retry'],
  // Where tokens are made is away: that is no failure of who asked.
  ['a token endpoint that is away', ended('catalogue.unavailable', true), 'retry'],
  ['credentials that are wrong', ended('connector.bad_credentials'), 'failed'],
  ['a session that was killed', new SessionLost('too many open files'), 'bereft'],
  ['no engine', new EngineAway('no Dagger engine'), 'postpone'],
  ['a full store', new StoreError('store.full', 'no space left'), 'postpone'],
  ['an object that is gone', new StoreError('store.missing', 'no a'), 'failed'],
])('%s: whose account it is on', async (_name, error, end) => {
  expect((await settled(error)).ended).toBe(end)
})

test('a push whose container was killed is tried again, and what crashed of itself is not', async () => {
  const of = async (step: string, code: string) => (await settled(ended(code), {}, step)).ended
  expect(await of('push-to-geoserver', 'step.crashed')).toBe('retry')
  expect(await of('push-to-geoserver', 'geoserver.layer_gone')).toBe('retry')
  expect(await of('push-to-geoserver', 'geoserver.refused')).toBe('failed')
  expect(await of('onnx-inference', 'step.crashed')).toBe('failed')
})

test('after the last try it fails, its log first, and says no path of the server', async () => {
  const { calls, heard } = await settled(ended('source.unreachable'), { retry: false })
  expect(calls.map(([name]) => name)).toEqual(['retry', 'failed'])
  expect(heard).toEqual(['source.unreachable: why\n'])
  const path = await settled(new Error('open /srv/data/objects/a and /tmp/geodag-run-x/b'))
  expect(path.calls).toEqual([['retry', 'engine.failed', 'open <server>/objects/a and <server>/b']])
})

test('a task that took its session along too often says what was said last', async () => {
  const { calls } = await settled(new SessionLost('too many open files'), { bereft: false })
  expect(calls[1]![1]).toBe('task.kills_runner')
  expect(calls[1]![2]).toContain('too many open files')
})
