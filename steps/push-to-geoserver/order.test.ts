import { afterEach, expect, test } from 'vitest'
import { made, layer, pushTo } from '../../test/support/geoserver/pushes.ts'
import {
  type Geoserver,
  type Interruption,
  type Options,
  startGeoserver,
} from '../../test/support/geoserver/server.ts'
import { remove } from './program/remove.ts'

const stands: Geoserver[] = []
const start = async (options: Options = {}) => {
  const stand = await startGeoserver(options)
  stands.push(stand)
  return stand
}
afterEach(() => stands.splice(0).forEach((stand) => stand.close()))

/** What the catalogue and the disk hold of a layer, to be compared. */
const held = ({ state, granules }: Geoserver) => {
  const workspace = state.workspaces.get('geofm')!
  return {
    stores: [...workspace.coveragestores].map(([name, { type, coverages }]) => [
      name,
      type,
      [...coverages.values()],
    ]),
    styles: [...workspace.styles.values()],
    layers: [...workspace.layers],
    granules: granules('geofm:i-pred'),
    folders: [...state.files.keys()],
  }
}

/** Stops the client at request `n`, as a kill does: the server may have done it or not. */
const killedAt = async (n: number, done: boolean, alone: boolean): Promise<boolean> => {
  const stand = await start()
  const killed = new AbortController()
  stand.interrupt = (count): Interruption => {
    if (count !== n) return undefined
    if (!done) killed.abort(new Error('killed'))
    else setTimeout(() => killed.abort(new Error('killed')), 0)
    return done ? 'cut-after' : 'cut-before'
  }
  const given = made(alone ? 'a.tif' : '2024-08-12_a.tif')
  const first = await pushTo(stand, { alone }, given, { signal: killed.signal }).then(
    () => true,
    (error: Error) => {
      expect(error.message).toBe('killed')
      return false
    },
  )
  if (first) return true
  stand.interrupt = () => undefined
  await pushTo(stand, { alone }, given)
  const clean = await start()
  await pushTo(clean, { alone }, given)
  expect(held(stand), `killed at request ${n}`).toEqual(held(clean))
  return false
}

test.each([
  ['a mosaic', false, 'before'],
  ['a mosaic', false, 'after'],
  ['a GeoTIFF', true, 'before'],
  ['a GeoTIFF', true, 'after'],
])(
  'killed at every request of the push of %s, then once more: as if nothing had been',
  async (_, alone, when) => {
    let n = 1
    while (!(await killedAt(n, when === 'after', alone))) n++
    expect(n).toBeGreaterThan(10)
  },
  60_000,
)

test('every request meets no answer, 503, or 504 after it was done: the push goes on by itself', async () => {
  const clean = await start()
  await pushTo(clean)
  const lost: Interruption[] = ['cut-before', 'cut-after', { status: 503 }, { after: 504 }]
  for (const what of lost) {
    const stand = await start()
    const met = new Set<string>()
    stand.interrupt = (_, line) => (met.has(line) ? undefined : (met.add(line), what))
    await pushTo(stand)
    expect(held(stand), JSON.stringify(what)).toEqual(held(clean))
  }
}, 30_000)

test('a raster is not sent again where the answer alone was lost', async () => {
  const stand = await start()
  await pushTo(stand, { task: 0 })
  stand.interrupt = (_, line) =>
    line.startsWith('POST') && line.includes('file.geotiff') ? { after: 504 } : undefined
  await pushTo(stand, { task: 1 })
  expect(stand.granules('geofm:i-pred')).toHaveLength(2)
  expect(stand.requests.filter((line) => line.includes('file.geotiff'))).toHaveLength(1)
})

test.each(['2.19.7', '2.28.1', '3.0.0'] as const)(
  'ten tasks of one inference at once into one store, GeoServer %s: ten granules, one style',
  async (version) => {
    const stand = await start({ version })
    const days = Array.from({ length: 10 }, (_, n) => `2024-08-${n + 10}`)
    const all = days.map((date, task) => pushTo(stand, { date, task }, made('s_pred.tif')))
    await Promise.all(all)
    expect([...stand.granules('geofm:i-pred')!].sort()).toEqual(
      days.map((day, task) => `${day}_task_${task}_s_pred.tif`),
    )
    const { coveragestores, styles, layers } = stand.state.workspaces.get('geofm')!
    expect([coveragestores.size, styles.size, layers.size]).toEqual([1, 1, 1])
  },
  30_000,
)

test('removed: store, index, files, layer and style; again, or never published, is no error', async () => {
  const stand = await start()
  const server = { url: stand.url, username: 'admin', password: 'geoserver', pause: 1 }
  const mask = { ...layer, layer_name: 'mask' }
  await pushTo(stand, { layers: [layer, mask] })
  await pushTo(stand, { layer_prefix: 'other' })
  const places = ['i-pred', 'i-mask', 'i-never'].map((name) => ({ workspace: 'geofm', name }))
  expect(await remove(server, places)).toEqual(['geofm:i-pred', 'geofm:i-mask'])
  const { coveragestores, styles, layers } = stand.state.workspaces.get('geofm')!
  for (const map of [coveragestores, styles, layers])
    expect([...map.keys()]).toEqual(['other-pred'])
  expect([...stand.state.files.keys()]).toEqual(['geofm/other-pred'])
  expect(await remove(server, places)).toEqual([])
  expect(await remove(server, [{ workspace: 'nowhere', name: 'i-pred' }])).toEqual([])
})
