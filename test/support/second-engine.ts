import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './engine.ts'

/** One more Dagger engine on this machine: real, with processes, a network and a cache of its own. */
export interface SecondEngine {
  /** As `_EXPERIMENTAL_DAGGER_RUNNER_HOST` has it */
  readonly address: string
  /** Once it answers. */
  start(): Promise<void>
  /** SIGKILL: its process is gone, with all its containers. */
  kill(): void
  /** Stops it; nothing of it is left. */
  remove(): Promise<void>
  /** What it has logged since its start. */
  log(): string
}

const NAME = `test-${process.pid}`
const HOME = process.env.ENGINE_HOME ?? '/var/lib/engine-kit'
const SCRIPT = join(root, 'engine/engine.sh')

/** Runs a command, or ends it where this process is killed. @throws Error unless it ends with 0 */
const run = async (command: string[], env: Record<string, string>): Promise<void> => {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}`)
}
const script = (command: string, name = NAME): Promise<void> =>
  run(['bash', SCRIPT, command], { ENGINE_NAME: name })

/** Removes the engine once this process has ended, however it ended. */
const removedAfterwards = (): ChildProcess => {
  const wait = 'while kill -0 "$1" 2>/dev/null; do sleep 1; done; exec bash "$2" remove'
  const watcher = spawn('sh', ['-c', wait, 'sh', String(process.pid), SCRIPT], {
    ...{ detached: true, stdio: 'ignore', cwd: '/' },
    env: { ...process.env, ENGINE_NAME: NAME },
  })
  watcher.unref()
  return watcher
}

/** Engines of tests whose machine ended before they were removed. */
const sweep = async (): Promise<void> => {
  const folder = join(HOME, 'engines')
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const [, owner] = /^test-(\d+)$/.exec(name) ?? []
    if (owner && !existsSync(`/proc/${owner}`)) await script('remove', name)
  }
}

/** Of geodag's own installation (`engine/`). */
const own = (): SecondEngine => {
  const folder = join(HOME, 'engines', NAME)
  const pid = join(folder, 'engine.pid')
  let up = false
  const kill = () => {
    // Once only: its number may be another program's later.
    if (up) process.kill(Number(readFileSync(pid)), 'SIGKILL')
    up = false
  }
  let watcher: ChildProcess | undefined
  return {
    address: `unix:///run/dagger-${NAME}/engine.sock`,
    start: async () => {
      await sweep()
      watcher ??= removedAfterwards()
      await script('start')
      up = true
    },
    kill,
    remove: async () => {
      // Its state goes too: a clean end, which would take longer, keeps nothing.
      kill()
      await script('remove')
      if (watcher?.exitCode === null) process.kill(-watcher.pid!)
      watcher = undefined
    },
    log: () => readFileSync(join(folder, 'engine.log'), 'utf8'),
  }
}

/** Of the image whose container Dagger started for itself. */
const inDocker = (): SecondEngine => {
  const docker = (...args: string[]) =>
    execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  const started = ['ps', '--filter', 'name=^dagger-engine', '--format', '{{.Image}}']
  const [image] = docker(...started).split('\n')
  if (!image)
    throw new Error(
      'this test starts a second engine, from geodag’s own installation (bash engine/engine.sh install) or from the image of an engine that Dagger started in Docker: neither is here',
    )
  const name = `geodag-engine-${NAME}`
  const address = `docker-container://${name}`
  const env = { _EXPERIMENTAL_DAGGER_RUNNER_HOST: address }
  return {
    address,
    start: async () => {
      const made = docker('ps', '--all', '--quiet', '--filter', `name=^${name}$`)
      if (made) docker('start', name)
      else docker('run', '--detach', '--privileged', '--name', name, image, '--debug')
      await run(['dagger', '--silent', 'core', 'version'], env)
    },
    kill: () => void docker('kill', name),
    remove: async () => void docker('rm', '--force', '--volumes', name),
    log: () => execFileSync('sh', ['-c', `docker logs ${name} 2>&1`], { encoding: 'utf8' }),
  }
}

export const secondEngine = (): SecondEngine =>
  existsSync(join(HOME, 'rootfs/usr/local/bin/dagger-engine')) ? own() : inDocker()
