import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What of a command stands for `docker exec -i NAME buildctl dial-stdio` on the machine's engine. */
const dial = (): string => {
  const { pathname, protocol } = new URL(
    process.env._EXPERIMENTAL_DAGGER_RUNNER_HOST || 'docker-container://',
  )
  const pipe = `const s = require("node:net").connect("${pathname}")
    process.stdin.pipe(s).pipe(process.stdout)`
  if (protocol === 'unix:') return `'${process.execPath}' -e '${pipe}'`
  const find = ['ps', '--filter', 'name=^dagger-engine', '--format', '{{.Names}}']
  const [name] = execFileSync('docker', find, { encoding: 'utf8' }).split('\n')
  const docker = execFileSync('sh', ['-c', 'command -v docker'], { encoding: 'utf8' }).trim()
  return `'${docker}' exec -i '${name}' buildctl dial-stdio`
}

export interface EngineAddress {
  readonly env: Record<string, string>
  /** From now on the engine answers there. */
  up(): void
  close(): void
}

/**
 * The machine's engine under the address of a container, `docker-container://`, which has no socket
 * to look at: a `docker` of its own leads there, while `up`.
 */
export const dockerAddress = (): EngineAddress => {
  const folder = mkdtempSync(join(tmpdir(), 'geodag-docker-'))
  const mark = join(folder, 'up')
  const script = `#!/bin/sh
[ "$1" = exec ] || exit 0
[ -e '${mark}' ] || { echo 'No such container' >&2; exit 1; }
exec ${dial()}
`
  writeFileSync(join(folder, 'docker'), script, { mode: 0o755 })
  return {
    env: {
      PATH: `${folder}:${process.env.PATH}`,
      _EXPERIMENTAL_DAGGER_RUNNER_HOST: 'docker-container://engine-of-the-test',
    },
    up: () => writeFileSync(mark, ''),
    close: () => rmSync(folder, { recursive: true }),
  }
}

/** The machine's engine behind a socket that takes connections and says nothing, until `up`. */
export const hangingAddress = (): EngineAddress => {
  const folder = mkdtempSync(join(tmpdir(), 'geodag-engine-'))
  const path = join(folder, 'engine.sock')
  const command = dial()
  const sockets = new Set<Socket>()
  let answers = false
  const lead = (socket: Socket) => {
    const through = spawn('sh', ['-c', command], { stdio: ['pipe', 'pipe', 'ignore'] })
    through.stdin.on('error', () => socket.destroy())
    socket.pipe(through.stdin)
    through.stdout.pipe(socket)
    socket.on('close', () => through.kill())
  }
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)))
    if (answers) lead(socket)
  }).listen(path)
  return {
    env: { _EXPERIMENTAL_DAGGER_RUNNER_HOST: `unix://${path}` },
    up: () => {
      answers = true
      for (const socket of sockets) lead(socket)
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      rmSync(folder, { recursive: true })
    },
  }
}
