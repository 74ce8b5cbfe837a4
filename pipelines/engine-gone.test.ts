import { expect, test } from 'vitest'
import { beganBefore, engineIsGone } from './compose.ts'

const answering = { version: async () => 'v0.21.8' } as never

test('a layer that the engine lost is the engine’s failure; a program that ended is the step’s', async () => {
  const lost =
    'failed to get snapshot: failed to snapshot: failed to sync: ' +
    'failed to get content hash xattr: no such file or directory [traceparent:3e49-2173]'
  expect(await engineIsGone(answering, lost)).toBe(true)
  expect(await engineIsGone(answering, 'lease 4f2 not found')).toBe(true)
  const joined =
    'error committing 3f7g: failed to commit 3f7g to immutable 5e0s: context canceled\n' +
    'commit output ref ms4t: failed to commit ms4t to immutable xbm7: context canceled'
  expect(await engineIsGone(answering, joined)).toBe(true)
  const removed = 'cleanup failed: "runc delete container": exit status 1: container does not exist'
  expect(await engineIsGone(answering, removed)).toBe(true)
  expect(await engineIsGone(answering, 'exit code: 1')).toBe(false)
  expect(await engineIsGone(answering, 'open /out/result.json: no such file or directory')).toBe(
    false,
  )
})

test.each([
  'failed to create socket: socket: too many open files',
  'fork/exec /usr/local/bin/runc: too many open files in system',
  'open /proc/self/fd/9: too many open files [traceparent:3e49-2173]',
  'write /var/lib/dagger/worker/snapshots/9/fs/out.tif: no space left on device',
  'failed to start: fork/exec /usr/local/bin/dumb-init: cannot allocate memory',
  'runc create failed: clone: resource temporarily unavailable',
  'read /var/lib/dagger/worker/content/blobs/x: input/output error',
  'rpc error: code = Unavailable desc = error reading from server: EOF',
  'write unix /run/dagger/engine.sock: write: broken pipe',
  'debian:bookworm-slim: failed to resolve source metadata: failed to do request',
  'pull: dial tcp: lookup registry.example.org: no such host',
  'unexpected status from HEAD request to https://registry.example.org/v2/: 503 Service Unavailable',
  'toomanyrequests: You have reached your pull rate limit',
])('an engine that ran short of something is nobody’s failure: %s', async (said) => {
  expect(await engineIsGone(answering, said)).toBe(true)
})

test('a program that ran short of the same, and ended, is the step’s failure', async () => {
  for (const said of [
    'process "python3 main.py" did not complete successfully: exit code: 1: too many open files',
    'exit code: 28: no space left on device',
    'exit code: 137',
  ])
    expect(await engineIsGone(answering, said)).toBe(false)
})

test.each([
  // Asked 20 s ago; the engine's clock says 12:00:00, ours may say anything.
  ['2024-06-10T11:59:41.000Z', false],
  ['2024-06-10T11:59:59.999Z', false],
  ['2024-06-10T11:59:39.000Z', true],
  ['2024-06-09T11:59:59.000Z', true],
])('a failure that began at %s is from the cache: %s', (startedAt, old) => {
  expect(beganBefore(startedAt, '2024-06-10T12:00:00.000Z', 20_000)).toBe(old)
})
