import { mkdtempSync, rmSync, writeFileSync, chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wait } from 'testcontainers'
import { root } from '../engine.ts'
import { image } from '../services.ts'
import type { Answer } from './http.ts'
import type { MapServer } from './wms.ts'

/** MapServer in a container; its maps lie in a folder that both sides see. */
export const startMapServer = async (): Promise<MapServer & { stop(): Promise<void> }> => {
  const built = await image('mapserver', join(root, 'containers/mapserver'))
  if (typeof built === 'string') throw new Error(`MapServer draws the maps: ${built}`)
  const folder = mkdtempSync(join(tmpdir(), 'geodag-maps-'))
  chmodSync(folder, 0o755)
  const container = await built
    .withBindMounts([{ source: folder, target: '/data', mode: 'ro' }])
    .withExposedPorts(8080)
    .withWaitStrategy(Wait.forListeningPorts())
    .start()
  const url = `http://${container.getHost()}:${container.getMappedPort(8080)}/mapserv`
  let maps = 0
  const write = (name: string, bytes: Buffer): string => {
    const safe = name.replace(/[^\w.-]/g, '_')
    writeFileSync(join(folder, safe), bytes)
    return `/data/${safe}`
  }
  return {
    write,
    ask: async (mapfile, query): Promise<Answer> => {
      const map = write(`m${maps++}.map`, Buffer.from(mapfile))
      const answer = await fetch(`${url}?${new URLSearchParams([['map', map], ...query])}`)
      const type = answer.headers.get('content-type') ?? ''
      return { status: answer.status, type, text: Buffer.from(await answer.arrayBuffer()) }
    },
    stop: async () => {
      await container.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
