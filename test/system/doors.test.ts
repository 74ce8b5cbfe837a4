import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { type Service, startService, water } from '../support/api.ts'
import { root } from '../support/engine.ts'
import { LAKE } from '../support/scenes.ts'

const folder = mkdtempSync(join(tmpdir(), 'geodag-doors-'))
/** The sample, in another encoding, under a name of a browser's second download, with more files. */
const NAME = 'my script (1).py'
const MORE = `    # größe
    open(os.path.join(arguments.output, "counts.csv"), "w").write("class,pixels\\n1,2\\n")
    open(os.path.join(arguments.output, "notes.json"), "w").write('{"a": 1}')
`
const script = Buffer.from(
  `# -*- coding: latin-1 -*-\n${readFileSync(join(root, 'examples/processors/majority_filter.py'), 'utf8')}${MORE}`,
  'latin1',
)
let service: Service | undefined
afterAll(() => service?.close())

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

test('the command line and the REST API make the same files, byte for byte', async () => {
  const scene = join(folder, 'lake.tif')
  copyFileSync(LAKE, scene)
  const out = join(folder, 'out')
  writeFileSync(join(folder, NAME), script)
  await promisify(execFile)(
    'dagger',
    [
      ...['--silent', 'call', 'run-inference', '--model', 'tiny-water', '--scene', scene],
      ...['--datetime', '2019-09-18', '--processor', join(folder, NAME)],
      ...['outputs', 'export', '--path', out],
    ],
    { cwd: root },
  )
  service = await startService()
  const api = await service.launch('start')
  const client = await service.client(api.url, 'doors@example.org')
  const { body: processor } = await client.processor(script, NAME)
  const url = await client.share(scene, 'lake.tif')
  const { body } = await client.post(
    '/v2/inference',
    water(url, { generic_processor_id: processor.id }),
  )
  expect((await client.ended(body.id)).inference.status).toBe('COMPLETED')
  const { assets } = (await client.get(`/v2/tasks/${body.id}-task_0/output`)).body
  expect(Object.keys(assets)).toEqual(
    expect.arrayContaining(['processor/counts.csv', 'processor/notes.json', 'preview', 'archive']),
  )
  for (const { title, href } of Object.values<{ title: string; href: string }>(assets)) {
    const ours = new Uint8Array(await (await fetch(href)).arrayBuffer())
    expect(digest(ours), title).toBe(digest(readFileSync(join(out, 'task_0', title))))
  }
})
