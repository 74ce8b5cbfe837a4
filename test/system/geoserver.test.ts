import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { textEntry } from '../../steps/push-to-geoserver/program/body.ts'
import { sldOf } from '../../steps/push-to-geoserver/program/sld.ts'
import { zipped } from '../../steps/push-to-geoserver/program/zip.ts'
import { root } from '../support/engine.ts'
import { startMapServer } from '../support/geoserver/mapserver.ts'
import { pixels as pixelsOf } from '../support/geoserver/pixels.ts'
import { layer, made, pushTo, segmentation } from '../support/geoserver/pushes.ts'
import { type Geoserver, startGeoserver } from '../support/geoserver/server.ts'
import { wms } from '../support/geoserver/wms.ts'
import { type Extras, geotiff } from '../support/geotiff.ts'
import { pythonClients } from '../support/python.ts'

const folder = mkdtempSync(join(tmpdir(), 'geodag-geoserver-'))
let maps: Awaited<ReturnType<typeof startMapServer>>
let stand: Geoserver
let bin: string

beforeAll(async () => {
  maps = await startMapServer()
  bin = await pythonClients('geoserver-requirements.txt')
  stand = await startGeoserver({
    ows: wms(maps),
    external: (path) => path.replace('/opt/geoserver_data', folder),
  })
})
afterAll(async () => {
  stand?.close()
  await maps?.stop()
})

const ask = (query: Record<string, string>) =>
  fetch(`${stand.url}/wms?${new URLSearchParams({ service: 'WMS', ...query })}`)

const pixels = (png: ArrayBuffer, ...at: string[]): Promise<number[][]> => {
  const path = join(folder, 'map.png')
  writeFileSync(path, Buffer.from(png))
  return pixelsOf(path, ...at)
}

/** The box of the test rasters: 100 pixels of 10 m from the same corner, EPSG:32630. */
const map = async (uri: string, more: Record<string, string> = {}) => {
  const { coverages } = stand.state.workspaces.get('geofm')!.coveragestores.get(uri.split(':')[1]!)!
  const { native } = [...coverages.values()][0]!
  const answer = await ask({
    ...{ version: '1.1.1', request: 'GetMap', layers: uri, srs: 'EPSG:32630', styles: '' },
    ...{ bbox: native.join(), width: '100', height: '100', format: 'image/png' },
    ...{ transparent: 'true', ...more },
  })
  expect(answer.headers.get('content-type'), await answer.clone().text()).toMatch('image/png')
  return answer
}

test('a map shows the classes in their colours, at the day that is asked for', async () => {
  const north = geotiff(100, 1, (_, row) => (row < 50 ? 1 : 0))
  const south = geotiff(100, 1, (_, row) => (row < 50 ? 0 : 1))
  await pushTo(stand, { task: 0, date: '2024-08-12' }, made('p.tif', north))
  await pushTo(stand, { task: 1, date: '2024-09-12' }, made('p.tif', south))
  const points = ['50,20', '50,80'] as const
  const blue = [69, 137, 255, 255]
  const first = await map('geofm:i-pred')
  expect(first.headers.get('warning')).toContain('Default value used: time=2024-08-12')
  const [water, land] = await pixels(await first.arrayBuffer(), ...points)
  expect([water, land![3]]).toEqual([blue, 0])
  const second = await map('geofm:i-pred', { time: '2024-09-12T00:00:00Z' })
  const [above, below] = await pixels(await second.arrayBuffer(), ...points)
  expect([above![3], below]).toEqual([0, blue])
  const nearest = await map('geofm:i-pred', { time: '2024-10-01' })
  expect(nearest.headers.get('warning')).toContain('Nearest value used: time=2024-09-12')
})

test('a scale runs from colour to colour; a picture is stretched; SLD_BODY wins over the style', async () => {
  const ramp = {
    regression: [
      { color: '#ff0000', opacity: 1, quantity: 1000, label: 'high' },
      { color: '#000000', opacity: 1, quantity: 0, label: 'low' },
    ],
  }
  const rgb = {
    rgb: ['Red', 'Green', 'Blue'].map((name, n) => ({
      ...{ label: `${name}Channel`, channel: n + 1, minValue: 0, maxValue: 1000 },
    })),
  }
  const scale = { ...layer, layer_name: 'scale', geoserver_style: ramp }
  const raster = geotiff(100, 1, (_, row) => (row < 50 ? 500 : 2000))
  await pushTo(stand, { layers: [scale], alone: true }, made('s.tif', raster))
  const [half, full] = await pixels(
    await (await map('geofm:i-scale')).arrayBuffer(),
    '50,20',
    '50,80',
  )
  expect(half![0]).toBeGreaterThan(110)
  expect(half![0]).toBeLessThan(145)
  expect(full).toEqual([255, 0, 0, 255])
  const picture = { ...layer, layer_name: 'rgb', geoserver_style: rgb }
  const bands = geotiff(100, 3, (band) => [1000, 0, 500][band]!)
  await pushTo(stand, { layers: [picture], alone: true }, made('r.tif', bands))
  const [pixel] = await pixels(await (await map('geofm:i-rgb')).arrayBuffer(), '50,50')
  expect([pixel![0], pixel![1], pixel![3]]).toEqual([255, 0, 255])
  expect(Math.abs(pixel![2]! - 127)).toBeLessThan(4)
  const sld_body = sldOf('geofm:i-scale', {
    segmentation: [{ color: '#00ff00', opacity: 1, quantity: 2000, label: 'x' }],
  })
  const [none, green] = await pixels(
    await (await map('geofm:i-scale', { sld_body })).arrayBuffer(),
    '50,20',
    '50,80',
  )
  expect([none![3], green]).toEqual([0, [0, 255, 0, 255]])
  // What GeoServer could not draw by is an exception, not a map.
  const broken = sldOf('geofm:i-scale', segmentation).replace('#4589FF', 'blue')
  const answer = await ask({
    version: '1.1.1',
    request: 'GetMap',
    layers: 'geofm:i-scale',
    sld_body: broken,
  })
  expect(await answer.text()).toContain('ServiceException')
})

test('a picture shows nothing where the scene has no data: by mask, by alpha, by colour', async () => {
  const channels = ['Red', 'Green', 'Blue'].map((name, n) => ({
    ...{ label: `${name}Channel`, channel: n + 1, minValue: 0, maxValue: 200 },
  }))
  const north = (row: number) => row < 50
  const scene = (bands: number, extras: Extras) =>
    geotiff(100, bands, (band, row) => (north(row) ? 0 : band === 3 ? 255 : 200), extras)
  const shown = async (layer_name: string, bytes: Buffer, more = {}) => {
    const layers = [{ ...layer, layer_name, geoserver_style: { rgb: channels } }]
    const { warnings } = await pushTo(stand, { layers, alone: true, ...more }, made('x.tif', bytes))
    const png = await (await map(`geofm:i-${layer_name}`)).arrayBuffer()
    return [...(await pixels(png, '50,20', '50,80')), warnings.length]
  }
  const hidden = [[0, 0, 0, 0], [255, 255, 255, 255], 0]
  const mask = (row: number) => !north(row)
  expect(await shown('masked', scene(3, { mask, nodata: 0 }))).toEqual(hidden)
  const day = { date: '2024-08-12', task: 0, alone: false }
  expect(await shown('mosaic', scene(3, { mask, nodata: 0 }), day)).toEqual(hidden)
  expect(await shown('alpha', scene(4, { alpha: true, bits: 8 }))).toEqual(hidden)
  expect(await shown('bytes', scene(3, { nodata: 0, bits: 8 }))).toEqual(hidden)
  // GeoServer stretches nodata alone as a value: the report says so, and what would help.
  expect(await shown('nodata', scene(3, { nodata: 0 }))).toEqual([[0, 0, 0, 255], hidden[1], 1])
})

test('capabilities of both versions name the layers, their boxes and times', async () => {
  const one = await (await ask({ version: '1.1.1', request: 'GetCapabilities' })).text()
  expect(one).toContain('<Name>geofm:i-pred</Name>')
  expect(one).toMatch(/<Extent name="time"[^>]*>2024-08-12,2024-09-12</)
  const three = await (await ask({ version: '1.3.0', request: 'GetCapabilities' })).text()
  expect(three).toMatch(
    /<Dimension name="time" units="ISO8601" default="2024-08-12"[^>]*>2024-08-12,2024-09-12</,
  )
  expect(three).toMatch(/<EX_GeographicBoundingBox>/)
})

const run = (program: string, args: string[], env: Record<string, string> = {}) =>
  promisify(execFile)(join(bin, program), args, {
    ...{ env: { ...process.env, ...env }, maxBuffer: 1e8, timeout: 600_000 },
    cwd: join(root, 'test/python'),
  }).catch((error: Error & { stdout?: string; stderr?: string }) => {
    throw new Error(`${error.message}\n${error.stdout ?? ''}`)
  })

test('geoserver-rest and geoserver-restconfig find what they expect of a GeoServer', async () => {
  const tiff = geotiff(8, 1, () => 1)
  const stored = (name: string) => ({ name, size: tiff.length, open: () => Readable.from([tiff]) })
  writeFileSync(join(folder, '2024-08-12_a.tif'), tiff)
  writeFileSync(join(folder, 's.sld'), sldOf('s', segmentation))
  const timed = [
    textEntry(
      'indexer.properties',
      'TimeAttribute=time\nSchema=*the_geom:Polygon,location:String,time:java.util.Date\n',
    ),
    textEntry('timeregex.properties', 'regex=[0-9]{4}-[0-9]{2}-[0-9]{2}\n'),
  ]
  const a = await zipped([stored('2024-08-12_a.tif'), ...timed])
  const b = await zipped([stored('2024-08-13_a.tif')])
  writeFileSync(join(folder, 'a.zip'), await buffer(a.open()))
  writeFileSync(join(folder, 'b.zip'), await buffer(b.open()))
  const own = await startGeoserver()
  try {
    const { stdout } = await run('python', ['geoserver_clients.py', own.url, folder])
    expect(stdout).toContain('done')
  } finally {
    own.close()
  }
})

test("geoservercloud's acceptance suite: the eight tests that need no database and no internet", async () => {
  const where = await run('python', [
    '-c',
    'import geoserver_acceptance_tests as g; print(g.__path__[0])',
  ])
  const suite = where.stdout.trim()
  execFileSync('tar', ['xzf', join(suite, 'data/sampledata.tgz'), '-C', folder], {
    stdio: 'ignore',
  })
  const wanted = 'crud_workspace or get_version or imagemosaic or nonexistent_gwc'
  const files = ['test_get_version', 'test_workspace', 'test_rest_resource', 'test_imagemosaic']
  const { stdout } = await run(
    'pytest',
    [
      ...files.map((name) => join(suite, `tests/${name}.py`)),
      ...['-k', wanted, '-p', 'acceptance_plugin', '-p', 'no:cacheprovider', '-q'],
    ],
    {
      GEOSERVER_ACCEPTANCE_CONFIG: join(suite, 'ci.config.yaml'),
      GEOSERVER_URL: stand.url,
      GEOSERVER_USER: 'admin',
      GEOSERVER_PASSWORD: 'geoserver',
      PYTHONPATH: '.',
    },
  )
  expect(stdout).toMatch(/\b8 passed/)
})
