import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Given, Push } from '../../../steps/push-to-geoserver/program/push.ts'
import { layer } from './pushes.ts'
import type { Geoserver } from './server.ts'

/**
 * The push program as the step's container runs it, a process of its own. It reads no secrets
 * outside the container: the stand-in's user and password are empty.
 *
 * @returns the process, and its result; undefined where it was killed before it wrote one
 */
export const pushProcess = (
  stand: Geoserver,
  request: Partial<Push>,
  given: Given,
): { child: ChildProcess; result: Promise<any> } => {
  const out = mkdtempSync(join(tmpdir(), 'geodag-pushed-'))
  const parameters = { url: stand.url, layer_prefix: 'i', layers: [layer], ...request }
  const file = join(out, 'parameters.json')
  writeFileSync(file, JSON.stringify({ parameters, artifacts: given.artifacts }))
  const program = new URL('../../../steps/push-to-geoserver/program/main.ts', import.meta.url)
  const child = spawn(process.execPath, [program.pathname, file, given.folder, out], {
    stdio: 'ignore',
  })
  const result = new Promise((done, failed) => {
    child.once('error', failed)
    child.once('exit', (code, signal) => {
      if (signal) return done(undefined)
      if (code) return failed(new Error(`the push program ended with ${code}`))
      done(JSON.parse(readFileSync(join(out, 'result.json'), 'utf8')))
    })
  })
  return { child, result }
}
