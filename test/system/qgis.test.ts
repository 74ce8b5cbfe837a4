import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { fromArrayBuffer } from 'geotiff'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { zipped } from '../../steps/push-to-geoserver/program/zip.ts'
import { type Client, sleep } from '../support/api.ts'
import { geopackage } from '../support/geoserver/geopackage.ts'
import { netcdf } from '../support/geoserver/netcdf.ts'
import { pixels } from '../support/geoserver/pixels.ts'
import type { Geoserver } from '../support/geoserver/server.ts'
import { type Publishing, startPublishing } from '../support/geoserver/service.ts'
import { shapefile } from '../support/geoserver/shapefile.ts'
import { LAKE, LAKE_SIZE, lakeOverlap } from '../support/scenes.ts'
import { zipByRange } from '../support/zip-range.ts'

const folder = mkdtempSync(join(tmpdir(), 'geodag-qgis-'))
let publishing: Publishing
let geoserver: Geoserver
let client: Client

beforeAll(async () => {
  publishing = await startPublishing({}, { maps: true })
  geoserver = publishing.geoserver
  const { service } = publishing
  client = await service.client((await service.launch('start')).url, 'qgis@example.org')
})
afterAll(() => publishing?.close())

/** The address that the plugin's settings end in. */
const BASE = '/studio-gateway/v2'

/** A WMS picture as QGIS asks for it, of a square of metres in EPSG:32630. */
const picture = async (layers: string, side: number): Promise<string> => {
  const box = [600_000, 4_300_000 - side, 600_000 + side, 4_300_000]
  const query = {
    ...{ service: 'WMS', version: '1.3.0', request: 'GetMap', layers, styles: '' },
    ...{ crs: 'EPSG:32630', bbox: box.join(), width: '256', height: '256' },
    ...{ format: 'image/png', transparent: 'TRUE' },
  }
  const answer = await fetch(`${geoserver.url}/wms?${new URLSearchParams(query)}`)
  expect(answer.headers.get('content-type'), await answer.clone().text()).toMatch('image/png')
  const path = join(folder, `${layers.replace(/\W/g, '_')}.png`)
  writeFileSync(path, Buffer.from(await answer.arrayBuffer()))
  return path
}

test('the calls of the QGIS plugin: models, a new inference, list, tasks, outputs, zip by Range, colours, map', async () => {
  const { body: models } = await client.get(`${BASE}/models`)
  const shown = models.results.filter((model: any) => model.display_name !== 'geofm-sandbox-models')
  const { id: model_id } = shown.find((model: any) => model.display_name === 'tiny-water')
  const submitted = await client.post(`${BASE}/inference/`, {
    spatial_domain: {
      bbox: [],
      polygons: [],
      tiles: [],
      urls: [await client.share(LAKE, 'lake.tif')],
    },
    temporal_domain: ['2019-09-18_2019-09-19'],
    ...{ description: 'from QGIS', location: 'Lake', model_id },
  })
  expect(submitted.status, JSON.stringify(submitted.body)).toBe(201)
  const { id } = submitted.body
  let listed: any
  for (const end = Date.now() + 300_000; Date.now() < end; await sleep(500)) {
    const { body } = await client.get(`${BASE}/inference/?limit=100&skip=0`)
    listed = body.results.find((inference: any) => inference.id === id)
    if (/COMPLETED|FAILED/.test(listed.status)) break
  }
  expect(listed.status).toBe('COMPLETED')

  const { body: tasks } = await client.get(`${BASE}/inference/${id}/tasks`)
  const outputs: string[] = []
  // Every id is asked for, the planner's own too: a refusal is passed over.
  for (const { task_id } of tasks.tasks) {
    const output = await client.get(`${BASE}/tasks/${task_id}/output`)
    if (output.status === 200) outputs.push(output.body.output_url)
  }
  expect(outputs).toHaveLength(1)
  const { members } = await zipByRange(outputs[0]!)
  const ending = (end: string) => members.filter(({ name }) => name.endsWith(end))
  expect([ending('pred.tif').length, ending('rgb.tif').length]).toEqual([1, 1])
  const opened = async (end: string) => {
    const bytes = await ending(end)[0]!.read()
    return (await fromArrayBuffer(new Uint8Array(bytes).buffer)).getImage()
  }
  const prediction = await opened('pred.tif')
  expect(prediction.getBoundingBox()).toEqual([600_000, 4_297_440, 602_560, 4_300_000])
  const [water] = (await prediction.readRasters()) as unknown as Int16Array[]
  expect(lakeOverlap((row, column) => water![row * LAKE_SIZE + column] === 1)).toBeGreaterThan(0.95)
  const rgb = await opened('rgb.tif')
  expect([rgb.getSamplesPerPixel(), rgb.getWidth()]).toEqual([3, LAKE_SIZE])

  const layers = listed.geoserver_layers.predicted_layers
  const pattern =
    /<ColorMapEntry color="([^"]+)" opacity="([^"]+)" quantity="([^"]+)" label="([^"]+)"/g
  expect([...layers[1].sld_body.matchAll(pattern)].map(([, ...found]) => found)).toEqual([
    ['#808080', '0', '0', 'Land'],
    ['#4589FF', '1', '1', 'Water'],
  ])
  const [lake, land] = await pixels(await picture(layers[1].uri, 2560), '128,128', '5,5')
  expect([lake, land![3]]).toEqual([[69, 137, 255, 255], 0])
  // Land and water differ in the picture of the scene.
  const [wet, dry] = await pixels(await picture(layers[0].uri, 2560), '128,128', '5,5')
  expect([wet![3], dry![3]]).toEqual([255, 255])
  expect(wet).not.toEqual(dry)
})

test('add-layer: a NetCDF file, a GeoPackage and a zipped Shapefile by URL, each on the map', async () => {
  const parts = shapefile('field')
  const archive = await zipped(
    Object.entries(parts).map(([name, bytes]) => ({
      ...{ name, size: bytes.length },
      open: () => Readable.from([bytes]),
    })),
  )
  const files = {
    'flood.nc': netcdf(100, { flood: (row, column) => (row < 50 && column < 50 ? 1 : 0) }),
    'water.gpkg': geopackage('water'),
    'field.zip': await buffer(archive.open()),
  }
  const urls: string[] = []
  for (const [name, bytes] of Object.entries(files)) {
    writeFileSync(join(folder, name), bytes)
    urls.push(await client.share(join(folder, name), name))
  }
  const area = { polygon_style: { fill: '#4589FF', fill_opacity: 1 } }
  const flood = [
    { color: '#808080', opacity: 0, quantity: 0, label: 'Dry' },
    { color: '#4589FF', opacity: 1, quantity: 1, label: 'Flood' },
  ]
  const layer = (layer_name: string, geoserver_style: object) => ({
    ...{ workspace: 'geofm', layer_name, display_name: layer_name, file_suffix: '' },
    ...{ filepath_key: 'original_input_image', geoserver_style },
    ...{ z_index: 1, visible_by_default: 'True' },
  })
  const { status, body } = await client.post('/v2/inference', {
    ...{ model_display_name: 'add-layer-sandbox-model', fine_tuning_id: 'sandbox' },
    ...{ location: 'Lake', description: 'layers', temporal_domain: [] },
    spatial_domain: { bbox: [], polygons: [], tiles: [], urls },
    model_input_data_spec: [{ bands: [{ index: 0, band_name: 'B0' }] }],
    geoserver_push: [
      layer('flood', { segmentation: flood }),
      layer('gpkg', area),
      layer('shp', area),
    ],
  })
  expect(status, JSON.stringify(body)).toBe(201)
  const { inference } = await client.ended(body.id)
  expect(inference.status, JSON.stringify(inference.inference_output)).toBe('COMPLETED')
  const uris = ['flood', 'gpkg', 'shp'].map((name) => `geofm:${body.id}-${name}`)
  const { predicted_layers, bbox_pred } = inference.geoserver_layers
  expect(predicted_layers.map(({ uri }: any) => uri).sort()).toEqual(uris)
  // The raster's kilometre, and the half of it that the areas cover; last, the box around all.
  expect(
    bbox_pred
      .at(-1)
      .map((degrees: number) => degrees.toFixed(3))
      .join(),
  ).toBe('-1.848,38.834,-1.836,38.843')
  const told = await fetch(`${geoserver.url}/wms?service=WMS&version=1.3.0&request=GetCapabilities`)
  const capabilities = await told.text()
  for (const uri of uris) {
    expect(capabilities).toContain(`<Name>${uri}</Name>`)
    const [inside, outside] = await pixels(await picture(uri, 1000), '64,64', '192,192')
    expect([inside, outside![3]], uri).toEqual([[69, 137, 255, 255], 0])
  }
})
