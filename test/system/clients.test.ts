import { execFile } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Client, type Service, startService } from '../support/api.ts'
import { root } from '../support/engine.ts'
import { fuzz } from '../support/fuzz.ts'
import { pythonClients } from '../support/python.ts'
import { LAKE } from '../support/scenes.ts'

const folder = mkdtempSync(join(tmpdir(), 'geodag-clients-'))
let service: Service
let client: Client
let base: string
let bin: string

beforeAll(async () => {
  bin = await pythonClients()
  service = await startService()
  base = (await service.launch('start')).url
  client = await service.client(base, 'walk@example.org')
})
afterAll(() => service.close())

const python = async (file: string, args: string[], env: Record<string, string> = {}) => {
  const options = { env: { ...process.env, HOME: folder, ...env }, cwd: folder, maxBuffer: 1e8 }
  return promisify(execFile)(join(bin, 'python'), [file, ...args], options)
}

test("the calls of a script after GEOStudio's guide: upload, submit, poll, tasks, download, delete", async () => {
  const scene = await client.share(LAKE, 'lake.tif')
  const script = join(root, 'test/python/keep_above.py')
  const { stdout } = await python(
    join(root, 'test/python/walkthrough.py'),
    [base, script, scene, 'geotune-tiny-water'],
    { STUDIO_API_KEY: client.key },
  )
  const said = JSON.parse(stdout)
  expect(said.seen.at(-1)).toBe('COMPLETED')
  // Five steps of the scene's task and the planner's one.
  expect(said.counts).toEqual([6, 6])
  expect(said.removed).toEqual([204, ''])
  expect(said.outputs).toHaveLength(1)
  const zip = Buffer.from(await (await fetch(said.outputs[0])).arrayBuffer())
  expect(zip.subarray(0, 4).toString('latin1')).toBe('PK\u0003\u0004')
  expect(zip.toString('latin1')).toContain('_pred')
  const step = (await client.tasks(said.inference))[0].pipeline_steps.find(
    (one: any) => one.process_id === 'generic-python-processor',
  )
  expect(step.status).toBe('FINISHED')
})

test('geostudio 0.1.5 from PyPI, unmodified', async () => {
  const own = await service.client(base, 'sdk@example.org')
  const { stdout, stderr } = await python(join(root, 'test/python/sdk.py'), [base, own.key, LAKE])
  const seen = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, boolean>
  expect(
    Object.entries(seen).filter(([, truth]) => !truth),
    stderr,
  ).toEqual([])
  expect(Object.keys(seen).length).toBeGreaterThan(28)
})

test('schemathesis: no answer of 500, no undocumented status, every body as its schema says', async () => {
  // An API of its own that runs nothing: what the fuzz submits stays READY.
  const token = crypto.randomUUID()
  const quiet = await startService({ TRUSTED_PROXIES: '127.0.0.1', INTERNAL_TOKEN: token })
  try {
    const email = 'fuzz@example.org'
    const own = await quiet.client((await quiet.launch('api')).url, email)
    const { code, words } = await fuzz(own, email, token, bin)
    expect(code, words).toBe(0)
    // A fuzz that is not let in finds nothing.
    expect(words).not.toContain('401 Unauthorized (')
    expect(Number(/generated, (\d+) passed/.exec(words)?.[1])).toBeGreaterThan(1000)
  } finally {
    await quiet.close()
  }
})
