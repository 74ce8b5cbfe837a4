import { dag, ReturnType } from '@dagger.io/dagger'
import { expect, test } from 'vitest'
import { compose } from '../../pipelines/compose.ts'
import { modelOfConfig } from '../../pipelines/model.ts'
import { planInference } from '../../pipelines/plan.ts'
import { inferenceRequest } from '../../pipelines/request.ts'
import { assets, root, session } from '../support/engine.ts'
import { CONFIG, exportOf, madeByTorch, terratorch, withModel } from '../support/terratorch.ts'

const EXPORT_PROGRAM = 'steps/terratorch-inference/program/export'
const raster = () => assets().directory('containers/raster').dockerBuild()

/**
 * Prints {name: [pixels that differ, of water, gaps]} of /ours/<name>.tif against /theirs. terratorch
 * writes -1 where any band has no data; geodag fills a gap of a single band in the model input.
 */
const COMPARE = `
import glob, json, os, rasterio
said = {}
for path in glob.glob('/theirs/*.tif'):
    name = os.path.basename(path)
    ours, theirs = (rasterio.open(f'{folder}/{name}').read(1) for folder in ('/ours', '/theirs'))
    gaps = (theirs == -1) & (ours != -1)
    said[name] = [int((ours != theirs)[~gaps].sum()), int((ours == 1).sum()), int(gaps.sum())]
print(json.dumps(said))
`

test('the image of TerraTorch builds: Debian, torch and 120 wheels, three to five minutes', () =>
  session(async () => {
    console.log('geodag: building containers/terratorch (2.8 GB), three to five minutes, once')
    const started = performance.now()
    await terratorch().sync()
    console.log(`geodag: built in ${Math.round((performance.now() - started) / 1000)} s`)
  }))

/** Runs scenes of scenes.py by a config and the checkpoint of tiny-water; what each step said, and how the masks compare. */
const runScenes = async (config: string, names: readonly string[], project = withModel(config)) => {
  const scenes = raster()
    .withMountedFile('/scenes.py', dag.host().file(`${root}/test/terratorch/scenes.py`))
    .withExec(['mkdir', '-p', '/made'])
    .withExec(['python3', '/scenes.py', '/made'])
    .directory('/made')
  const files = names.map((name) => `${name}_S2.tif`)
  const plan = planInference(inferenceRequest.parse({}), modelOfConfig(config), { files })
  const env = { dag, assets: project, runKey: plan.inference_id, secrets: {} }
  const { outputs, manifest } = await compose(env, plan, scenes)
  const errors = manifest.tasks.flatMap(({ steps }) => steps.map(({ error }) => error))
  expect(errors.filter(Boolean)).toEqual([])
  let ours = dag.directory()
  let theirs = dag.directory()
  for (const [n, { folder, steps }] of manifest.tasks.entries()) {
    const step = steps.find((one) => one.artifacts.model_output_image)!
    const made = outputs.file(`${folder}/${step.artifacts.model_output_image}`)
    const name = `${names[n]}.tif`
    ours = ours.withFile(name, made)
    theirs = theirs.withFile(name, dag.host().file(`${root}/test/terratorch/predicted/${name}`))
  }
  const said = await raster()
    .withMountedDirectory('/ours', ours)
    .withMountedDirectory('/theirs', theirs)
    .withExec(['python3', '-c', COMPARE])
    .stdout()
  const log = await outputs.file(manifest.tasks[0]!.steps[1]!.log!).contents()
  return { log, compared: JSON.parse(said) as Record<string, [number, number, number]> }
}

test('config and checkpoint alone give what terratorch predict gave, pixel for pixel', () =>
  session(async () => {
    const { log, compared } = await runScenes(CONFIG, ['even', 'odd', 'small'])
    expect(log).toMatch(/Exported by the legacy exporter, batch any: differs from torch by at most/)
    expect(Object.keys(compared).sort()).toEqual(['even.tif', 'odd.tif', 'small.tif'])
    for (const [name, [differ, water, gaps]] of Object.entries(compared)) {
      expect(differ, name).toBe(0)
      // In scenes.py: 3 x 100 pixels of a band that the model does not read, 2 x 50 of one that it reads.
      expect(gaps, name).toBe(name === 'odd.tif' ? 400 : 0)
      expect(water, name).toBeGreaterThan(100)
    }
  }))

/** The project whose export program takes a model of 100 kB for one that protobuf cannot hold. */
const inTwoFiles = async () => {
  const proof = `${EXPORT_PROGRAM}/proof.py`
  const text = await assets().file(proof).contents()
  const small = text.replace(/^MOST_IN_ONE_FILE = [\d_]+$/m, 'MOST_IN_ONE_FILE = 100_000')
  expect(small).not.toBe(text)
  return withModel().withNewFile(proof, small)
}

test('a model whose tensors lie in a file of their own gives the same pixels', () =>
  session(async () => {
    const project = await inTwoFiles()
    const { out, code, message } = await exportOf(CONFIG, undefined, project)
    expect(code, message).toBe(null)
    expect(await out.entries()).toEqual(
      expect.arrayContaining(['model.onnx', 'model.onnx.data', 'runtime.json']),
    )
    const bytes = (name: string) => out.file(name).size()
    expect(await bytes('model.onnx.data')).toBeGreaterThan(600_000)
    expect(await bytes('model.onnx')).toBeLessThan((await bytes('model.onnx.data')) / 2)
    const { compared } = await runScenes(CONFIG, ['odd'], project)
    expect(compared['odd.tif']).toEqual([0, expect.any(Number), 400])
    expect(compared['odd.tif']![1]).toBeGreaterThan(100)
  }))

test('what is not exported is run by TerraTorch itself, in the same sandbox', () =>
  session(async () => {
    const transform =
      'test_transform:\n    - {class_path: albumentations.HorizontalFlip, init_args: {p: 0}}\n    - class_path: ToTensorV2\n    val_data_root'
    const config = CONFIG.replace('val_data_root', transform)
    const { log, compared } = await runScenes(config, ['small'])
    expect(log).toContain('TerraTorch itself ran it')
    expect(compared['small.tif']).toEqual([0, expect.any(Number), 0])
  }))

test.each([
  [
    'a transform that runs a command',
    CONFIG.replace(
      'init_args:\n    allow',
      'init_args:\n    test_transform:\n    - class_path: os.system\n      init_args: {command: echo PWNED}\n    allow',
    ),
    'model.forbidden_class',
  ],
  [
    'a model that is a command',
    CONFIG.replace('terratorch.tasks.SemanticSegmentationTask', 'subprocess.Popen'),
    'model.forbidden_class',
  ],
  [
    'a tag of YAML that runs a command',
    `${CONFIG}\nx: !!python/object/apply:os.system ["echo PWNED"]\n`,
    'model.bad_config',
  ],
  ['no YAML', '{', 'model.bad_config'],
  ['another text', 'hello: world', 'model.bad_config'],
  [
    'a bomb of anchors',
    `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'.replace(/./g, (name, n) => `${name}: &${name} [${`*${'abcdefghij'[n]},`.repeat(9).slice(0, -1)}]\n`)}${CONFIG.replace('test_data_root: chips/val', 'test_data_root: *j\n    test_transform: [{class_path: os.system}]')}`,
    'model.forbidden_class',
  ],
  [
    'a data module with its own code',
    CONFIG.replace('GenericNonGeoSegmentationDataModule', 'Sen1Floods11NonGeoDataModule'),
    'model.not_exportable',
  ],
  [
    'a stride that leaves pixels out',
    CONFIG.replace('h_stride: 48', 'h_stride: 80'),
    'model.bad_config',
  ],
])('a config with %s ends by name', (_, config, code) =>
  session(async () => {
    const answer = await exportOf(config)
    expect(answer.log).not.toContain('PWNED\n')
    expect(answer.code, answer.message).toBe(code)
    const entries = await answer.out.entries()
    expect(entries.includes('model.onnx')).toBe(code === null)
  }),
)

/** planted.ckpt: the right tensors, and a pickle that runs a command; others are no checkpoint of the config. */
const CHECKPOINTS = `
import torch
class Command:
    def __reduce__(self):
        import os
        return os.system, ("echo PWNED; touch /tmp/pwned",)
state = torch.load('/tiny.ckpt', map_location='cpu', weights_only=True)
state = state.get('state_dict', state)
torch.save({'state_dict': state, 'hyper_parameters': {'loss': Command()}}, 'planted.ckpt')
first = next(iter(state))
torch.save({'state_dict': {**state, first: torch.zeros(3)}}, 'other.ckpt')
open('text.ckpt', 'w').write('no checkpoint')
`

test('a checkpoint that runs a command is read for its tensors; another ends by name', () =>
  session(async () => {
    const made = madeByTorch(CHECKPOINTS)
    const of = (name: string) => exportOf(CONFIG, made.file(name))
    const planted = await of('planted.ckpt')
    expect(planted.log).not.toContain('PWNED')
    expect(planted.code, planted.message).toBe(null)
    for (const name of ['text.ckpt', 'other.ckpt']) {
      const { code, message, log } = await of(name)
      expect(log).not.toContain('PWNED')
      expect(code, message).toBe('model.bad_checkpoint')
    }
  }))

test('checkpoints of strangers: no code of theirs runs, each ends by a name or by its tensors', () =>
  session(async () => {
    const ran = terratorch()
      .withExec(['python3', '-m', 'pip', 'install', '-q', 'pytest==8.4.2'])
      .withMountedDirectory('/tests', dag.host().directory(`${root}/test/terratorch`))
      .withMountedDirectory('/export', assets().directory(EXPORT_PROGRAM))
      .withEnvVariable('GEODAG_EXPORT', '/export')
      .withWorkdir('/tests')
      .withExec(['python3', '-m', 'pytest', '-q', '-p', 'no:cacheprovider', '-W', 'ignore', '.'], {
        expect: ReturnType.Any,
      })
    const [code, said] = [await ran.exitCode(), await ran.stdout()]
    console.log(`geodag: pytest: ${said.trim().split('\n').at(-1)}`)
    expect(code, said).toBe(0)
    expect(Number(/(\d+) passed/.exec(said)?.[1])).toBeGreaterThan(180)
  }))
