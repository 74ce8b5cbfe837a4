import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeScratch, sweepScratch } from '../runs/scratch.ts'
import { ownerLives, ownerTag } from './owner.ts'

test('folders of ended processes are swept, those in use and of unknown owners are not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'geodag-owner-'))
  const [host, pid, began] = ownerTag().split('-')
  const child = spawn('true')
  await new Promise((done) => child.once('exit', done))
  const names = {
    mine: `geodag-run-${ownerTag()}-abcDEF`,
    ended: `geodag-run-${host}-${child.pid}-12345-abcDEF`,
    // The same id, but a process that began at another time.
    reused: `geodag-run-${host}-${pid}-${Number(began) + 1}-abcDEF`,
    elsewhere: `geodag-run-00000000-${child.pid}-12345-abcDEF`,
    old: 'geodag-run-q1w2e3',
    fresh: 'geodag-run-r4t5y6',
    other: 'another-program',
    weights: `geodag-weights-${host}-${child.pid}-12345-abcDEF`,
  }
  for (const name of Object.values(names)) mkdirSync(join(folder, name))
  utimesSync(join(folder, names.old), 1, 1)
  await sweepScratch(folder)
  expect(readdirSync(folder).sort()).toEqual(
    [names.mine, names.elsewhere, names.fresh, names.other].sort(),
  )
})

test("a run's folder says whose it is", async () => {
  const made = await makeScratch()
  expect([ownerLives(made.split('/').at(-1)!), existsSync(made)]).toEqual([true, true])
})
