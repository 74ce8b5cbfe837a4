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

const usage = 'npm run demo -- [scene.tif] [--model NAME] [--datetime YYYY-MM-DD]'
const argumentsOf = () => {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { model: { type: 'string', default: 'tiny-water' }, datetime: { type: 'string' } },
    })
  } catch (error) {
    return fail(`${(error as Error).message}\nusage: ${usage}`)
  }
}
const parsed = argumentsOf()
const given = parsed.positionals[0]
if (given && !existsSync(given)) fail(`${given}: no such file; give the path of a GeoTIFF`)
mkdirSync(out, { recursive: true })
rmSync(log, { force: true })
rmSync(join(out, 'run'), { recursive: true, force: true })
/** What the cloud models take; the others take all 13. */
const bands = parsed.values.model.startsWith('ukis-csmask') ? 'B02,B03,B04,B08,B11,B12' : ''
const scene = resolve(given ?? join(out, bands ? 'scene_6.tif' : 'scene.tif'))
if (!existsSync(scene)) {
  say('making a synthetic Sentinel-2 scene (the first run builds an image: a minute or two)')
  const picked = bands ? ['--bands', bands] : []
  await dagger(['call', 'demo-scene', ...picked, 'export', '--path', scene])
}
// A user's own scene has a date that only the user knows.
const datetime = parsed.values.datetime ?? (given ? undefined : '2024-08-12')
say(`running ${parsed.values.model} on ${scene}, with examples/processors/majority_filter.py`)
await dagger([
  ...['call', 'run-inference', '--model', parsed.values.model, '--scene', scene],
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
