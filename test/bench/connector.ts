import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** odc-stac and stackstac are for this comparison only: no image and no test has them. */
const OTHERS = ['odc-stac==0.5.3', 'stackstac==0.5.1']

const root = new URL('../..', import.meta.url).pathname
const requirements = join(root, 'containers/raster/requirements.txt')
const hash = createHash('sha256').update(readFileSync(requirements)).update(OTHERS.join())
const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache')
const venv = join(cache, `geodag/bench-${hash.digest('hex').slice(0, 12)}`)

const run = (command: string, ...args: string[]): void => {
  const { status } = spawnSync(command, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

if (!existsSync(join(venv, 'complete'))) {
  console.log('geodag: installing odc-stac and stackstac (about two minutes, once)')
  mkdirSync(venv, { recursive: true })
  run('python3', '-m', 'venv', venv)
  run(join(venv, 'bin/pip'), 'install', '-q', '-r', requirements, ...OTHERS)
  writeFileSync(join(venv, 'complete'), '')
}
run(join(venv, 'bin/python'), join(root, 'test/bench/connector.py'))
