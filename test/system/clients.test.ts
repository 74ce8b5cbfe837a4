import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Client, SPAIN, type Service, startService } from '../support/api.ts'
import { root } from '../support/engine.ts'
import { fuzz } from '../support/fuzz.ts'
import { pythonClients } from '../support/python.ts'

const guide = readFileSync(
  join(root, '../shared/reference/seed-generic-processors-guide.md'),
  'utf8',
)
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

const read = (name: string) => readFileSync(join(root, 'test/python', name), 'utf8')
const python = async (file: string, args: string[], env: Record<string, string> = {}) => {
  const options = { env: { ...process.env, HOME: folder, ...env }, cwd: folder, maxBuffer: 1e8 }
  return promisify(execFile)(join(bin, 'python'), [file, ...args], options)
}

test.each(['walkthrough.py', 'cloud_masking.py'])(
  "%s is the guide's own text, its lost indentation put back",
  (name) => {
    const lines = (text: string) =>
      text
        .split('\n')
        .map((line) => line.trim())
        .filter(Boolean)
    // The page runs the first and last line of a block into its neighbours.
    expect(guide.replace(/\s+/g, ' ')).toContain(lines(read(name)).slice(1, -1).join(' '))
  },
)

test("the guide's walk-through: upload, submit, poll, tasks, download, delete", async () => {
  const scene = await client.share(SPAIN, 'spain.tif')
  const processor = join(folder, 'processor.py')
  writeFileSync(processor, read('cloud_masking.py'))
  // Only what the guide marks as the reader's own.
  const script = join(folder, 'walkthrough.py')
  const filled = read('walkthrough.py')
    .replace('https://your-api-url', base)
    .replace('/path/to/your/script.py', processor)
    .replace('your_onboarded_tune_id', 'geotune-tiny-water')
    .replace(/https:\/\/geospatial-studio-example-data[^"]*/, scene)
  writeFileSync(script, filled)
  const { stdout } = await python(script, [], { STUDIO_API_KEY: client.key })
  expect(stdout).toContain('Succesfully created generic processor')
  expect(stdout).toContain('✓ Inference completed successfully!')
  const output = /Output: (\S+)/.exec(stdout)![1]!
  const zip = Buffer.from(await (await fetch(output)).arrayBuffer())
  expect(zip.subarray(0, 4).toString('latin1')).toBe('PK\u0003\u0004')
  expect(zip.toString('latin1')).toContain('_pred')
  const id = /Inference ID: (\S+)/.exec(stdout)![1]!
  const step = (await client.tasks(id))[0].pipeline_steps.find(
    (one: any) => one.process_id === 'generic-python-processor',
  )
  expect(step.status).toBe('FINISHED')
  const removed = await fetch(
    `${base}/v2/generic-processor/${/Processor ID: (\S+)/.exec(stdout)![1]}`,
    {
      method: 'DELETE',
      headers: { Authorization: `Bearer ${client.key}` },
    },
  )
  expect([removed.status, await removed.text()]).toEqual([204, ''])
})

test('geostudio 0.1.5 from PyPI, unmodified', async () => {
  const own = await service.client(base, 'sdk@example.org')
  const { stdout, stderr } = await python(join(root, 'test/python/sdk.py'), [base, own.key, SPAIN])
  const seen = JSON.parse(stdout.trim().split('\n').at(-1)!) as Record<string, boolean>
  expect(
    Object.entries(seen).filter(([, truth]) => !truth),
    stderr,
  ).toEqual([])
  expect(Object.keys(seen).length).toBeGreaterThan(28)
})

test('schemathesis: no answer of 500, no undocumented status', async () => {
  // An API of its own that runs nothing: what the fuzz submits stays READY.
  const quiet = await startService()
  try {
    const own = await quiet.client((await quiet.launch('api')).url, 'fuzz@example.org')
    const { code, words } = await fuzz(own, bin)
    expect(code, words).toBe(0)
    // A fuzz that is not let in finds nothing.
    expect(words).not.toContain('Authentication failed')
    expect(Number(/generated, (\d+) passed/.exec(words)?.[1])).toBeGreaterThan(1000)
  } finally {
    await quiet.close()
  }
})
