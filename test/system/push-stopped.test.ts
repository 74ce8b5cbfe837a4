import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig } from '../../api/config.ts'
import { cleanUp } from '../../api/runs/janitor.ts'
import { FolderStore } from '../../api/storage/folder.ts'
import type { Client, Process, Service } from '../support/api.ts'
import { held } from '../support/geoserver/held.ts'
import type { Geoserver } from '../support/geoserver/server.ts'
import { type Publishing, startPublishing } from '../support/geoserver/service.ts'
import { geotiff } from '../support/geotiff.ts'

let publishing: Publishing
let geoserver: Geoserver
let service: Service
let api: Process
let client: Client
const folder = mkdtempSync(join(tmpdir(), 'geodag-stopped-'))

beforeAll(async () => {
  publishing = await startPublishing()
  ;({ geoserver, service } = publishing)
  api = await service.launch('start')
  client = await service.client(api.url, 'stopped@example.org')
})
afterAll(() => publishing?.close())

/** A scene that is published as it came: nothing but the push takes time. */
const submit = async (name: string): Promise<string> => {
  writeFileSync(
    join(folder, name),
    geotiff(32, 1, (_, row) => row % 2),
  )
  const url = await client.share(join(folder, name), name)
  const { status, body } = await client.post('/v2/inference', {
    ...{ model_display_name: 'add-layer-sandbox-model', fine_tuning_id: 'sandbox' },
    ...{ location: 'Lake', description: 'stopped', temporal_domain: [] },
    spatial_domain: { bbox: [], polygons: [], tiles: [], urls: [url] },
    model_input_data_spec: [{ bands: [{ index: 0, band_name: 'B0' }] }],
    geoserver_push: [
      {
        ...{ workspace: 'geofm', layer_name: 'scene', display_name: 'Scene', file_suffix: '' },
        ...{ filepath_key: 'original_input_image', z_index: 1, visible_by_default: 'True' },
        geoserver_style: {
          segmentation: [{ color: '#4589FF', opacity: 1, quantity: 1, label: 'Water' }],
        },
      },
    ],
  })
  expect(status, JSON.stringify(body)).toBe(201)
  return body.id
}

/** Processes of this inference's push container, as this machine sees them. */
const pushers = (id: string): number[] =>
  readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return []
    try {
      const [args, env] = ['cmdline', 'environ'].map((name) => readFileSync(`/proc/${pid}/${name}`))
      const own = args!.includes('/program/main.ts') && env!.includes(`RUN_KEY=${id}/`)
      return own ? [Number(pid)] : []
    } catch {
      return [] // it ended meanwhile
    }
  })

/** What the server has of an inference. */
const ours = (id: string): string[] =>
  [...geoserver.state.workspaces.values()]
    .flatMap(({ coveragestores, datastores, styles, layers }) => [
      ...[coveragestores, datastores, styles, layers].flatMap((map) => [...map.keys()]),
    ])
    .concat([...geoserver.state.files.keys()])
    .filter((name) => name.includes(id))

const mayKill = process.getuid?.() === 0
if (!mayKill)
  console.log('geodag: not root: no container is killed here, only the program (push-kill.test.ts)')
test.skipIf(!mayKill).each(['PUT', 'POST workspaces/geofm/styles', 'POST gwc'])(
  'SIGKILL of the push container at its %s: tried again by itself, as if nothing had been',
  async (begin) => {
    let killed = 0
    let id = ''
    geoserver.interrupt = (_, line) => {
      if (killed || !line.startsWith(begin)) return undefined
      return {
        unanswered: () => {
          for (const pid of pushers(id)) {
            process.kill(pid, 'SIGKILL')
            killed++
          }
        },
      }
    }
    id = await submit('2024-08-12_scene.tif')
    const { inference } = await client.ended(id)
    geoserver.interrupt = () => undefined
    expect(killed).toBeGreaterThan(0)
    expect(inference.status, JSON.stringify(inference.inference_output)).toBe('COMPLETED')
    const uri = `geofm:${id}-scene`
    expect(inference.geoserver_layers.predicted_layers.map((layer: any) => layer.uri)).toEqual([
      uri,
    ])
    expect(geoserver.granules(uri)).toEqual(['2024-08-12_scene.tif'])
    const { coverages, styles } = held(geoserver)
    expect(coverages.filter(([name]) => String(name).includes(id))).toHaveLength(1)
    expect(styles.filter(({ name }) => name.includes(id))).toHaveLength(1)
    const told = (await client.get(`/v2/notifications/${id}?limit=100`)).body.results
    expect(JSON.stringify(told)).toContain('trying again')
  },
)

test.each(['PUT', 'POST workspaces/geofm/styles'])(
  'an inference is deleted while its push is at its %s: the container ends, its layers go, others stay',
  async (begin) => {
    const other = await submit('other.tif')
    expect((await client.ended(other)).inference.status).toBe('COMPLETED')
    const before = ours(other)
    let reached = false
    geoserver.interrupt = (_, line) => {
      if (reached || !line.startsWith(begin)) return undefined
      return { unanswered: () => void (reached = true) }
    }
    const id = await submit('gone.tif')
    await client.until(id, () => reached)
    expect(ours(id)).not.toEqual([])
    expect((await client.call('DELETE', `/v2/inference/${id}`)).status).toBe(204)
    await expect.poll(() => pushers(id), { timeout: 300_000 }).toEqual([])
    const purged = async () =>
      (
        await service.db
          .selectFrom('inf_inference')
          .select('purged')
          .where('id', '=', id)
          .executeTakeFirstOrThrow()
      ).purged
    await expect.poll(purged, { timeout: 300_000 }).toBe(true)
    geoserver.interrupt = () => undefined
    expect(ours(id)).toEqual([])
    expect(ours(other)).toEqual(before)
  },
)

test('a deleted inference whose layers GeoServer keeps for now keeps no other from being cleaned up', async () => {
  const stuck = await submit('stuck.tif')
  const after = await submit('after.tif')
  for (const id of [stuck, after])
    expect((await client.ended(id)).inference.status).toBe('COMPLETED')
  geoserver.interrupt = (_, line) => (line.includes(stuck) ? { status: 403 } : undefined)
  for (const id of [stuck, after])
    await sql`update inf_inference set deleted = true, updated_at = now() - interval '1 hour'
      where id = ${id}`.execute(service.db)
  const store = new FolderStore(`${service.settings.DATA_FOLDER}/objects`, 'k'.repeat(64), () => '')
  const clean = () => cleanUp({ db: service.db, store, config: readConfig(service.settings) })
  await clean()
  expect(ours(stuck)).not.toEqual([])
  expect(ours(after)).toEqual([])
  geoserver.interrupt = () => undefined
  await clean()
  expect(ours(stuck)).toEqual([])
})
