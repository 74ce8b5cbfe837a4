import { expect, test } from 'vitest'
import { breathe, Turns } from './turns.ts'

test('large requests go one after another, others between them; too many are refused', async () => {
  const turns = new Turns()
  let [active, most, between] = [0, 0, 0]
  const work = async () => {
    most = Math.max(most, ++active)
    await breathe()
    active -= 1
  }
  const all = Array.from({ length: 60 }, () => turns.take(work))
  const results = Promise.allSettled(all)
  let done = false
  void results.then(() => (done = true))
  while (!done) {
    await breathe()
    between += 1
  }
  const refused = (await results).filter(({ status }) => status === 'rejected')
  expect([most, refused.length]).toEqual([1, 9])
  expect(between).toBeGreaterThan(100)
  await expect(turns.take(async () => 'free again')).resolves.toBe('free again')
})

test('work that fails gives its turn on', async () => {
  const turns = new Turns()
  const failing = turns.take(async () => {
    throw new Error('x')
  })
  const next = turns.take(async () => 1)
  await expect(failing).rejects.toThrow('x')
  expect(await next).toBe(1)
})
