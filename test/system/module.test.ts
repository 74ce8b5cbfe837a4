import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { root } from '../support/engine.ts'
import { LAKE } from '../support/scenes.ts'

const folder = mkdtempSync(join(tmpdir(), 'geodag-'))
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

/** The CLI as a user calls it; its output and error text together when it fails. */
const dagger = async (...args: string[]): Promise<{ ok: boolean; text: string }> => {
  try {
    const done = await promisify(execFile)('dagger', ['--silent', ...args], { cwd: root })
    return { ok: true, text: done.stdout }
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    return { ok: false, text: stdout + stderr }
  }
}
const WATER = readFileSync(join(root, 'models/tiny-water.yaml'), 'utf8')
const infer = (...args: string[]) => dagger('call', 'run-inference', '--scene', LAKE, ...args)

test('every function and every argument of the surface has a help text', async () => {
  const { text } = await dagger('functions')
  const lines = text.split('\n').filter((line) => /^[a-z-]+ {2,}/.test(line))
  const names = lines.map((line) => line.split(' ')[0])
  for (const name of [
    'run-inference',
    'plan',
    'url-connector',
    'onnx-inference',
    'push-to-geoserver',
  ])
    expect(names).toContain(name)
  expect(lines.filter((line) => /^\S+\s+-$/.test(line))).toEqual([])
  const help = (await dagger('call', 'run-inference', '--help')).text
  const entries = help
    .split('ARGUMENTS')[1]!
    .split(/^ +(?=--)/m)
    .slice(1)
  expect(entries.length).toBeGreaterThan(10)
  for (const entry of entries)
    // A switch has no type word.
    expect(entry).toMatch(/^--\S+( \S+)?\s+(\[default[^\]]*\]\s*)?[A-Za-z]/)
})

test('a model as a STAC MLM Item, which is a model file in turn; another form is refused', async () => {
  const out = await dagger('call', 'model', '--name', 'tiny-water', '--as', 'mlm')
  const item = JSON.parse(out.text)
  expect([item.type, item.properties['mlm:name']]).toEqual(['Feature', 'tiny-water'])
  // With words of its own, which come out again.
  const properties = { ...item.properties, license: 'MIT', 'mlm:total_parameters': 208_000 }
  const links = [{ rel: 'cite-as', href: 'https://doi.example.org/1' }]
  const theirs = { ...item, properties, links }
  const given = file('item.json', JSON.stringify(theirs))
  const back = await dagger('call', 'model', '--model-file', given, '--as', 'mlm')
  expect(JSON.parse(back.text)).toEqual(theirs)
  const wrong = await dagger('call', 'model', '--name', 'tiny-water', '--as', 'xml')
  expect([wrong.ok, wrong.text]).toEqual([
    false,
    expect.stringContaining('model.format: --as xml is no form of a model: use json or mlm'),
  ])
})

test('run-inference through the module: outputs, manifest, preview, and a processor that fails by name', async () => {
  const good = await infer('--model', 'tiny-water', '--datetime', '2019-09-18', 'summary')
  expect(good.text).toContain('COMPLETED')
  const processor = file('no_guard.py', 'print("hello")\n')
  const bad = await infer('--model', 'tiny-water', '--processor', processor, 'summary')
  expect(bad.ok).toBe(true)
  expect(bad.text).toMatch(/generic-python-processor +FAILED .*processor\.no_main: no_guard\.py/)
  const checked = await infer('--model', 'tiny-water', '--processor', processor, 'completed')
  expect([checked.ok, checked.text.includes('processor.no_main')]).toEqual([false, true])
  const out = join(folder, 'out')
  await infer(
    '--model',
    'tiny-water',
    '--datetime',
    '2019-09-18',
    'outputs',
    'export',
    '--path',
    out,
  )
  expect(JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8')).status).toBe('COMPLETED')
  expect(readFileSync(join(out, 'preview.png')).subarray(1, 4).toString()).toBe('PNG')
})

test('a fine-tuned model by config and checkpoint: a run, its export, and both named by a model file', async () => {
  const tune = ['config_deploy.yaml', 'tiny_water.ckpt'].map((name) =>
    join(root, 'models/tiny-water', name),
  )
  const given = ['--config', tune[0]!, '--checkpoint', tune[1]!]
  const out = join(folder, 'tune')
  const ran = await infer(...given, 'outputs', 'export', '--path', out)
  expect(ran.ok, ran.text).toBe(true)
  const manifest = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'))
  expect(manifest.status).toBe('COMPLETED')
  const step = manifest.tasks[0].steps[1]
  expect(step.process_id).toBe('terratorch-inference')
  expect(step.details.classes['1']).toBeGreaterThan(100)
  expect(Object.keys(step.details.seconds)).toEqual(
    expect.arrayContaining(['load', 'read', 'kernel', 'write', 'wait', 'wall']),
  )
  expect(step.details.kernel_share).toBeGreaterThan(0)
  expect(readFileSync(join(out, 'preview.png')).subarray(1, 4).toString()).toBe('PNG')
  const model = join(folder, 'model')
  const exported = await dagger('call', 'export-model', ...given, 'export', '--path', model)
  expect(exported.ok, exported.text).toBe(true)
  expect(readFileSync(join(model, 'model.onnx')).length).toBeGreaterThan(100_000)
  expect(JSON.parse(readFileSync(join(model, 'runtime.json'), 'utf8')).task).toBe('segmentation')
  const bands = Array.from({ length: 13 }, (_, index) => ({ index, band_name: `B${index}` }))
  const yaml = {
    display_name: 'my-tune',
    pipeline_steps: ['url-connector', 'terratorch-inference', 'postprocess-generic'].map(
      (process_id, step_number) => ({ process_id, step_number }),
    ),
    model_input_data_spec: [{ connector: 'file', collection: 'file', bands }],
    inference: { config: { file: 'config.yaml' }, checkpoint: { file: 'checkpoint.ckpt' } },
  }
  const named = await infer(
    '--model-file',
    file('tune.yaml', JSON.stringify(yaml)),
    ...given,
    'summary',
  )
  expect([named.ok, named.text]).toEqual([true, expect.stringContaining('COMPLETED')])
})

test.each([
  [
    'an unknown model',
    ['--model', 'nope'],
    /model\.not_found: no model nope: use --model with one of/,
  ],
  [
    'a model with an unknown step',
    ['--model-file', file('m.yaml', 'pipeline_steps: [{process_id: run, step_number: 0}]')],
    /unknown step "run": use one of url-connector/,
  ],
  [
    'a request that is no YAML',
    ['--model', 'tiny-water', '--request', file('r.yaml', 'a: [')],
    /request\.invalid: r\.yaml/,
  ],
  [
    'parameters that are no JSON',
    ['--model', 'tiny-water', '--processor', file('p.py', ''), '--processor-parameters', '{a'],
    /processor\.parameters: processor-parameters must be a JSON object/,
  ],
  [
    'a limit that is none',
    [
      ...['--model', 'tiny-water', '--processor', file('q.py', '')],
      ...['--processor-limits', '{"memory": 1}'],
    ],
    /plan\.invalid: generic-python-processor: limits: Unrecognized key: "memory"/,
  ],
  [
    'a misspelt field of a request',
    ['--model', 'tiny-water', '--request', file('t.yaml', 'spacial_domain: {}')],
    /request\.invalid: t\.yaml: spacial_domain: no such field; use one of model_display_name/,
  ],
  [
    'parameters without a script',
    ['--model', 'tiny-water', '--processor-parameters', '{"a": 1}'],
    /processor\.parameters: processor-parameters without --processor/,
  ],
  [
    'weights that were not given',
    ['--model-file', file('w.yaml', WATER.replace('tiny-water/tiny_water.onnx', 'weights.onnx'))],
    /model\.no_weights: inference\.weights\.file: there is no models\/weights\.onnx: pass your own with --weights/,
  ],
  [
    'a mean of another length',
    ['--model-file', file('n.yaml', WATER.replace('mean: [0.107582, ', 'mean: ['))],
    /model\.invalid: inference\.mean: 5 values for 6 bands/,
  ],
  [
    'a date that is none',
    ['--model', 'tiny-water', '--datetime', 'yesterday'],
    /request\.temporal_domain: .*yesterday.*write YYYY-MM-DD/,
  ],
])('%s fails with a clear error and no stack trace', async (_, args, message) => {
  const { ok, text } = await infer(...args, 'summary')
  expect(ok).toBe(false)
  expect(text).toMatch(message)
  expect(text).not.toMatch(/^ +at .*\.(ts|js):\d+/m)
})

test('any step is called by its name; another name is refused with the list', async () => {
  const wrong = await dagger('call', 'step', '--name', 'nothing', 'entries')
  expect(wrong.text).toMatch(/step\.unknown: no step nothing: use one of url-connector, /)
  const made = await dagger(
    ...['call', 'step', '--name', 'url-connector', '--input', dirname(LAKE)],
    ...['--parameters', JSON.stringify({ file: basename(LAKE) }), 'entries'],
  )
  expect(made.text).toContain('artifacts.json')
})
