import { spawn } from 'node:child_process'
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Manifest } from '../pipelines/manifest.ts'

const out = 'out/demo'
const log = join(out, 'dagger.log')
const say = (text: string) => console.log(`geodag: ${text}`)

const fail = (text: string): never => {
  console.error(`geodag: ${text}`)
  process.exit(1)
}

/** Runs the CLI with its progress in the log; on failure shows its last words and where the rest is. */
const dagger = (args: string[]): Promise<void> =>
  new Promise((done) => {
    const file = createWriteStream(log, { flags: 'a' })
    const child = spawn('dagger', ['--progress=plain', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let tail = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        file.write(chunk)
        tail = (tail + chunk.toString()).slice(-4000)
      })
    const ticking = setInterval(() => say('  still at work ...'), 15_000)
    child.on('error', (error) => fail(`dagger did not start: ${error.message}`))
    child.on('close', (code) => {
      clearInterval(ticking)
      file.end()
      if (code === 0) return done()
      const words = tail.split('\n').filter((line) => /error|Error/.test(line))
      fail(
        `dagger failed: ${words.slice(-3).join('\n') || tail.slice(-800)}\nthe whole log: ${log}`,
      )
    })
  })

const table = (manifest: Manifest): void => {
  console.log(
    `\n${'step'.padEnd(28)}${'status'.padEnd(10)}${'program'.padStart(10)}${'wall'.padStart(10)}`,
  )
  for (const step of manifest.tasks.flatMap((task) => task.steps)) {
    const times = [step.seconds, step.wall_seconds].map((s) => `${s.toFixed(2)} s`.padStart(10))
    const note = step.error
      ? `  ${step.error.code}: ${step.error.message}`
      : step.cached
        ? '  cached'
        : ''
    console.log(step.process_id.padEnd(28) + step.status.padEnd(10) + times.join('') + note)
  }
}

const files = (): void => {
  console.log('')
  const names = readdirSync(join(out, 'run'), { recursive: true, encoding: 'utf8' }).sort()
  for (const name of names) {
    const stat = statSync(join(out, 'run', name))
    if (stat.isFile()) console.log(`${String(stat.size).padStart(10)}  ${join(out, 'run', name)}`)
  }
}

/** Exports the fine-tuned model to out/demo/model; the run after it finds the export in the engine's cache. */
const showExport = async (): Promise<void> => {
  say(`exporting ${checkpoint} to ONNX, in the sandbox, proved against torch: once for all scenes`)
  say('  the first time on a machine builds an image with torch (2.8 GB): three to five minutes')
  say('  the first time of a model: about a minute; after that it is kept')
  const started = performance.now()
  const folder = join(out, 'model')
  rmSync(folder, { recursive: true, force: true })
  await dagger([
    ...['call', 'export-model', '--config', config, '--checkpoint', checkpoint],
    ...['export', '--path', folder],
  ])
  const proof = readFileSync(join(folder, 'log.txt'), 'utf8').match(/^.*Exported by.*$/m)?.[0]
  say(`  ${((performance.now() - started) / 1000).toFixed(1)} s: ${folder}/model.onnx`)
  if (proof) say(`  ${proof}`)
}

const usage =
  'npm run demo -- [scene.tif] [--model NAME | --tune [--config C.yaml --checkpoint C.ckpt]] [--datetime YYYY-MM-DD]'
const argumentsOf = () => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        model: { type: 'string' },
        tune: { type: 'boolean', default: false },
        config: { type: 'string', default: 'models/tiny-water/config_deploy.yaml' },
        checkpoint: { type: 'string', default: 'models/tiny-water/tiny_water.ckpt' },
        datetime: { type: 'string' },
      },
    })
  } catch (error) {
    return fail(`${(error as Error).message}\nusage: ${usage}`)
  }
}
const parsed = argumentsOf()
const { tune, config, checkpoint } = parsed.values
const name = parsed.values.model ?? 'tiny-water'
if (tune && parsed.values.model) fail(`--tune and --model: give one of them\nusage: ${usage}`)
const given = parsed.positionals[0]
for (const path of tune ? [config, checkpoint] : [])
  if (!existsSync(path)) fail(`${path}: no such file; give TerraTorch's YAML and its checkpoint`)
if (given && !existsSync(given)) fail(`${given}: no such file; give the path of a GeoTIFF`)
mkdirSync(out, { recursive: true })
rmSync(log, { force: true })
rmSync(join(out, 'run'), { recursive: true, force: true })
/** What the cloud models take; the others take all 13. */
const bands = !tune && name.startsWith('ukis-csmask') ? 'B02,B03,B04,B08,B11,B12' : ''
const scene = resolve(given ?? join(out, bands ? 'scene_6.tif' : 'scene.tif'))
if (!existsSync(scene)) {
  say('making a synthetic Sentinel-2 scene (the first run builds an image: a minute or two)')
  const picked = bands ? ['--bands', bands] : []
  await dagger(['call', 'demo-scene', ...picked, 'export', '--path', scene])
}
// A user's own scene has a date that only the user knows.
const datetime = parsed.values.datetime ?? (given ? undefined : '2024-08-12')
const model = tune ? ['--config', config, '--checkpoint', checkpoint] : ['--model', name]
if (tune) await showExport()
say(`running ${tune ? checkpoint : name} on ${scene}, with examples/processors/majority_filter.py`)
await dagger([
  ...['call', 'run-inference', ...model, '--scene', scene],
  ...(datetime ? ['--datetime', datetime] : []),
  ...['--processor', 'examples/processors/majority_filter.py'],
  ...['outputs', 'export', '--path', join(out, 'run')],
])
const manifest: Manifest = JSON.parse(readFileSync(join(out, 'run/manifest.json'), 'utf8'))
table(manifest)
files()
const picture = resolve(out, 'run/preview.png')
if (existsSync(picture)) say(`${manifest.status}; the picture: ${picture}`)
else say(`${manifest.status} before there was a picture; what was made: ${resolve(out, 'run')}`)
if (manifest.status !== 'COMPLETED') process.exit(1)
