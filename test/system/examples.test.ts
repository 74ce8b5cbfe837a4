import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { root } from '../support/engine.ts'
import { LAKE } from '../support/scenes.ts'

const dagger = (...args: string[]) =>
  promisify(execFile)('dagger', ['--silent', ...args], { cwd: root })

test('a module of another repository composes the steps: the share of water is that of the lake', async () => {
  const args = ['--scene', LAKE, '--date', '2024-08-12']
  const { stdout } = await dagger('call', '-m', 'examples/flood-alert', 'water-share', ...args)
  // A circle of a quarter of the side: pi / 16.
  expect(Math.abs(Number(stdout) - 19.6)).toBeLessThan(1)
})

/** Every call of the module in the examples of CI, as the words of a command line. */
const calls = readdirSync(join(root, 'examples/ci'))
  .filter((name) => /\.ya?ml$/.test(name))
  .flatMap((name) => {
    const text = readFileSync(join(root, 'examples/ci', name), 'utf8')
    expect(parse(text), name).toBeTypeOf('object')
    return [...text.matchAll(/run-inference[\s\S]*?export --path/g)].map(([call]) => ({
      name,
      flags: [...call.matchAll(/(--[a-z-]+)/g)].map(([flag]) => flag),
    }))
  })

test('the examples of CI call the module with arguments that it has', async () => {
  expect(calls.length).toBeGreaterThanOrEqual(3)
  const { stdout } = await dagger('call', 'run-inference', '--help')
  for (const { name, flags } of calls)
    for (const flag of flags.filter((one) => one !== '--path'))
      expect(stdout, `${name}: ${flag}`).toMatch(new RegExp(`${flag}\\b`))
})
