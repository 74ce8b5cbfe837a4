import { expect, test } from 'vitest'
import { engineIsGone } from './compose.ts'

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
