import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './engine.ts'

/** One more Dagger engine on this machine: real, with processes, a network and a cache of its own. */
export interface SecondEngine {
  /** As `_EXPERIMENTAL_DAGGER_RUNNER_HOST` has it */
  readonly address: string
  /** Returns once it answers. */
  start(): void
  /** SIGKILL: its process is gone, with all its containers. */
  kill(): void
  /** Stops it; nothing of it is left. */
  remove(): void
  /** What it has logged since its start. */
  log(): string
}

const NAME = `test-${process.pid}`
const HOME = process.env.ENGINE_HOME ?? '/var/lib/engine-kit'

const script = (command: string, name = NAME): void =>
  void execFileSync('bash', [join(root, 'engine/engine.sh'), command], {
    env: { ...process.env, ENGINE_NAME: name },
    stdio: ['ignore', 'inherit', 'inherit'],
  })

/** Engines of tests that were killed before they could remove them. */
const sweep = (): void => {
  const folder = join(HOME, 'engines')
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const [, owner] = /^test-(\d+)$/.exec(name) ?? []
    if (owner && !existsSync(`/proc/${owner}`)) script('remove', name)
  }
}

/** Of geodag's own installation (`engine/`). */
const own = (): SecondEngine => {
  sweep()
  const folder = join(HOME, 'engines', NAME)
  const pid = join(folder, 'engine.pid')
  const kill = () => void process.kill(Number(readFileSync(pid)), 'SIGKILL')
  return {
    address: `unix:///run/dagger-${NAME}/engine.sock`,
    start: () => script('start'),
    kill,
    remove: () => {
      // Its state goes too: a clean end, which would take longer, keeps nothing.
      try {
        kill()
      } catch {
        // it has ended, or never begun
      }
      script('remove')
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
  const env = { ...process.env, _EXPERIMENTAL_DAGGER_RUNNER_HOST: address }
  return {
    address,
    start: () => {
      const made = docker('ps', '--all', '--quiet', '--filter', `name=^${name}$`)
      if (made) docker('start', name)
      else docker('run', '--detach', '--privileged', '--name', name, image, '--debug')
      execFileSync('dagger', ['--silent', 'core', 'version'], { env, timeout: 120_000 })
    },
    kill: () => void docker('kill', name),
    remove: () => void docker('rm', '--force', '--volumes', name),
    log: () => execFileSync('sh', ['-c', `docker logs ${name} 2>&1`], { encoding: 'utf8' }),
  }
}

export const secondEngine = (): SecondEngine =>
  existsSync(join(HOME, 'rootfs/usr/local/bin/dagger-engine')) ? own() : inDocker()
