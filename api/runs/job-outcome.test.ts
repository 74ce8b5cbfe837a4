import { expect, test } from 'vitest'
import { StoreError } from '../storage/errors.ts'
import { outcomeOf, Refused } from './job-outcome.ts'
import { EngineAway, SessionLost } from './session.ts'

const LIMITS = { MAX_ATTEMPTS: 3, MAX_DEATHS: 4, RETRY_SECONDS: 5 }
const job = { failures: 1, deaths: 2 }

test.each<[string, unknown, object]>([
  ['no engine', new EngineAway('none answers'), { failures: 1, deaths: 2 }],
  ['a full store', new StoreError('store.full', 'full'), { failures: 1, deaths: 2 }],
  ['Postgres', Object.assign(new Error('x'), { code: '57P01' }), { failures: 1, deaths: 2 }],
  ['a session that ended', new SessionLost('too many open files'), { failures: 1, deaths: 3 }],
  ['a host that is away', new Refused('model.unreachable', 'x'), { failures: 2, deaths: 2 }],
  ['who knows what', new Error('x'), { failures: 2, deaths: 2 }],
])('%s: the job goes on, and who is charged', (_name, error, expected) => {
  expect(outcomeOf(job, error, LIMITS)).toMatchObject(expected)
})

test.each<[string, unknown, string]>([
  ['a config that is wrong', new Refused('model.bad_config', 'x'), 'model.bad_config'],
  ['a file that is gone', new StoreError('store.missing', 'x'), 'store.missing'],
])('%s: the job ends', (_name, error, code) => {
  expect(outcomeOf(job, error, LIMITS)).toMatchObject({ error: { code } })
})

test('the last try is the last, and a job that takes its sessions along ends', () => {
  const tried = { failures: 2, deaths: 0 }
  const gone = new Refused('model.unreachable', 'x')
  expect(outcomeOf(tried, gone, LIMITS)).toMatchObject({ error: { code: 'model.unreachable' } })
  const died = outcomeOf({ failures: 0, deaths: 4 }, new SessionLost('runc: killed'), LIMITS)
  expect(died).toMatchObject({ error: { code: 'task.kills_runner' } })
  expect(JSON.stringify(died)).toContain('runc: killed')
})
