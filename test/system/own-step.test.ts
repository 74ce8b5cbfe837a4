import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { root } from '../support/engine.ts'
import { LAKE } from '../support/scenes.ts'

const page = readFileSync(join(root, 'docs/steps.md'), 'utf8')
const copy = mkdtempSync(join(tmpdir(), 'geodag-own-step-'))
const here = (name: string) => join(copy, name)

const sh = async (command: string, args: string[]): Promise<string> => {
  const env = { ...process.env, PATH: `${here('node_modules/.bin')}:${process.env.PATH}` }
  const { stdout } = await promisify(execFile)(command, args, { cwd: copy, env })
  return stdout
}

/** The files that the page has one write: a line with the name, then the block. */
const filesOf = (text: string): [name: string, body: string][] =>
  [...text.matchAll(/^`([\w./-]+)`:\n\n```\w+\n([\s\S]*?)^```/gm)].map(([, name, body]) => [
    name!,
    body!,
  ])

/** Lines that the page puts into a list: after which line, what, and the import. */
const linesOf = (text: string) =>
  [
    ...text.matchAll(
      /[Ii]n `(steps\/\w+\.ts)`, after `([^`]+)`:\n\n```ts\n([\s\S]*?)^```\n\nwith `([^`]+)`/gm,
    ),
  ].map(([, name, after, line, imported]) => ({ name, after, line, imported }))

test('docs/steps.md followed to the letter: a step of one’s own smooths a prediction', async () => {
  const tracked = await promisify(execFile)('git', ['ls-files', '-co', '--exclude-standard'], {
    cwd: root,
  })
  for (const name of tracked.stdout.split('\n').filter(Boolean)) {
    mkdirSync(dirname(here(name)), { recursive: true })
    cpSync(join(root, name), here(name))
  }
  symlinkSync(join(root, 'node_modules'), here('node_modules'))
  const files = filesOf(page)
  expect(files.map(([name]) => name)).toEqual([
    'steps/median-filter/contract.ts',
    'containers/median/Dockerfile',
    'steps/median-filter/step.ts',
    'steps/median-filter/program/main.py',
    'steps/median-filter/median-filter.test.ts',
  ])
  for (const [name, body] of files) {
    mkdirSync(dirname(here(name)), { recursive: true })
    writeFileSync(here(name), body)
  }
  const lines = linesOf(page)
  expect(lines).toHaveLength(2)
  for (const { name, after, line, imported } of lines) {
    const list = readFileSync(here(name!), 'utf8')
    expect(list).toContain(`${after}\n`)
    writeFileSync(here(name!), `${imported}\n${list.replace(`${after}\n`, `${after}\n${line}`)}`)
  }
  const change = parse(/```yaml\n([\s\S]*?)```/.exec(page)![1]!)
  const water = parse(readFileSync(here('models/tiny-water.yaml'), 'utf8'))
  writeFileSync(here('models/smooth-water.yaml'), stringify({ ...water, ...change }))

  await sh('tsc', ['--noEmit'])
  const unit = ['run', '--config', 'test/vitest.config.ts', '--project', 'unit']
  await sh('vitest', [...unit, 'steps/median-filter', 'test/unit/architecture.test.ts'])
  const run = ['--silent', 'call', 'run-inference', '--model', 'smooth-water', '--scene', LAKE]
  const manifest = JSON.parse(await sh('dagger', [...run, 'manifest', 'contents']))
  const [task] = manifest.tasks
  expect(manifest.status, JSON.stringify(task.steps)).toBe('COMPLETED')
  const step = task.steps.find((one: any) => one.process_id === 'median-filter')
  expect(step.details.changed).toBeGreaterThan(0)
  expect(step.artifacts.model_output_image).toMatch(/_median_pred\.tif$/)
})
