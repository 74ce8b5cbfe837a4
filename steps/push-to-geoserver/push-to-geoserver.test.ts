import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Geoserver, startGeoserver } from '../../test/support/geoserver/server.ts'
import { layer, made, pushTo } from '../../test/support/geoserver/pushes.ts'
import { geotiff } from '../../test/support/geotiff.ts'

let stand: Geoserver
beforeEach(async () => void (stand = await startGeoserver()))
afterEach(() => stand.close())

const workspace = () => stand.state.workspaces.get('geofm')!
const coverage = (name: string) => workspace().coveragestores.get(name)!.coverages.get(name)!

test('a layer comes with its workspace, time, boxes, style as its default, and no old tiles', async () => {
  const { predicted_layers, bboxes, warnings } = await pushTo(stand)
  expect(predicted_layers).toMatchObject([{ uri: 'geofm:i-pred', display_name: 'P' }])
  expect(warnings).toEqual([])
  expect(stand.granules('geofm:i-pred')).toEqual(['2024-08-12_a_pred.tif'])
  const { metadata, latLon } = coverage('i-pred')
  expect(metadata.entry['@key']).toBe('time')
  expect(bboxes).toEqual([latLon])
  expect(workspace().styles.get('i-pred')!.sld).toBe(predicted_layers[0]!.sld_body)
  expect(workspace().layers.get('i-pred')!.defaultStyle).toEqual({
    name: 'i-pred',
    workspace: 'geofm',
  })
  expect(stand.state.truncated).toEqual(['geofm:i-pred'])
})

test('another day adds a granule and the boxes grow; the same file again replaces its own', async () => {
  await pushTo(stand, { task: 0 })
  const before = coverage('i-pred').latLon
  const north = geotiff(8, 1, () => 1)
  // The same raster 10 km north: its tie point is the third number pair of the tag.
  north.writeDoubleLE(north.readDoubleLE(tiePoint(north)) + 10_000, tiePoint(north))
  await pushTo(stand, { task: 1 }, made('2024-08-13_a_pred.tif', north))
  await pushTo(stand, { task: 1 }, made('2024-08-13_a_pred.tif', north))
  expect(stand.granules('geofm:i-pred')).toHaveLength(2)
  expect(coverage('i-pred').latLon[3]).toBeGreaterThan(before[3] + 0.05)
  expect(coverage('i-pred').latLon[1]).toBeCloseTo(before[1], 6)
})

/** Where the northing of the first pixel stands in a small test raster. */
const tiePoint = (tiff: Buffer): number => {
  const directory = tiff.readUInt32LE(4)
  for (let at = directory + 2; ; at += 12)
    if (tiff.readUInt16LE(at) === 33922) return tiff.readUInt32LE(at + 8) + 32
}

test('two tasks whose files have one name keep a granule each', async () => {
  await pushTo(stand, { task: 0, date: '2024-08-12' }, made('s_pred.tif'))
  await pushTo(stand, { task: 1, date: '2024-08-12' }, made('s_pred.tif'))
  expect(stand.granules('geofm:i-pred')).toEqual([
    '2024-08-12_task_0_s_pred.tif',
    '2024-08-12_task_1_s_pred.tif',
  ])
})

test("the task's day wins over digits in the name, and 9999-99-99 is no day", async () => {
  await pushTo(stand, { date: '2024-01-02' }, made('2020-05-05_9999-99-99_a.tif'))
  await pushTo(stand, { layer_prefix: 'j' }, made('9999-99-99_2024-03-04_b.tif'))
  const times = ['i', 'j'].map(
    (id) => stand.state.indexes.get(`geofm/${id}-pred`)!.granules[0]!.time,
  )
  expect(times).toEqual(['2024-01-02', '2024-03-04'])
})

test('one raster without a day is a GeoTIFF store, replaced by the next; several are a mosaic', async () => {
  await pushTo(stand, { alone: true }, made('a.tif'))
  await pushTo(stand, { alone: true }, made('b.tif'))
  expect(workspace().coveragestores.get('i-pred')!.type).toBe('GeoTIFF')
  expect([...stand.state.files.get('geofm/i-pred')!.keys()]).toEqual(['i-pred.geotiff'])
  for (const task of [0, 1]) await pushTo(stand, { layer_prefix: 'j', task }, made('a.tif'))
  expect(stand.granules('geofm:j-pred')).toEqual(['task_0_a.tif', 'task_1_a.tif'])
  expect(coverage('j-pred').metadata).toEqual({})
})

test('a file without a day does not vanish in a layer with time: geoserver.time_mismatch', async () => {
  await pushTo(stand, { task: 0 })
  const code = { code: 'geoserver.time_mismatch' }
  await expect(pushTo(stand, { task: 1 }, made('a.tif'))).rejects.toMatchObject(code)
  await pushTo(stand, { layer_prefix: 'j', task: 0 }, made('a.tif'))
  await expect(pushTo(stand, { layer_prefix: 'j', task: 1 })).rejects.toMatchObject(code)
})

test('202 is not believed: a granule of another number of bands is geoserver.granule_missing', async () => {
  await pushTo(stand, { task: 0 })
  const rgb = made(
    '2024-08-13_b.tif',
    geotiff(8, 3, () => 1),
  )
  await expect(pushTo(stand, { task: 1 }, rgb)).rejects.toMatchObject({
    code: 'geoserver.granule_missing',
    message: expect.stringContaining('task_1_2024-08-13_b.tif'),
  })
})

test('a raster that cannot be read leaves no store, and a good one is published afterwards', async () => {
  const broken = made('2024-08-12_a_pred.tif', Buffer.from('no TIFF'))
  await expect(pushTo(stand, {}, broken)).rejects.toMatchObject({ code: 'geoserver.unreadable' })
  const single = pushTo(stand, { alone: true }, made('a.tif', Buffer.from('no')))
  await expect(single).rejects.toMatchObject({ code: 'geoserver.unreadable' })
  expect(workspace().coveragestores.size).toBe(0)
  expect(stand.state.files.size).toBe(0)
  await pushTo(stand)
  expect(stand.granules('geofm:i-pred')).toHaveLength(1)
})

test('what an earlier client left is no hindrance: a store without a coverage, an old index', async () => {
  await pushTo(stand)
  const authorization = `Basic ${btoa('admin:geoserver')}`
  const path = `${stand.url}/rest/workspaces/geofm/coveragestores/i-pred?recurse=true`
  await fetch(path, { method: 'DELETE', headers: { authorization } })
  expect(stand.granules('geofm:i-pred')).toHaveLength(1)
  await pushTo(stand, { date: '2024-09-09' })
  expect(stand.granules('geofm:i-pred')).toContain('2024-09-09_2024-08-12_a_pred.tif')
  const bare = `${stand.url}/rest/workspaces/geofm/coveragestores`
  await fetch(bare, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ coverageStore: { name: 'j-pred', type: 'ImageMosaic' } }),
  })
  await pushTo(stand, { layer_prefix: 'j' })
  expect(stand.granules('geofm:j-pred')).toHaveLength(1)
})

test('a layer without its file is skipped with the reason; none at all is an error', async () => {
  const missing = { ...layer, layer_name: 'masked', filepath_key: 'model_output_image_masked' }
  const { predicted_layers, skipped } = await pushTo(stand, { layers: [layer, missing] })
  expect(predicted_layers).toHaveLength(1)
  expect(skipped).toEqual([
    { layer_name: 'masked', reason: 'no earlier step made model_output_image_masked' },
  ])
  await expect(pushTo(stand, { layers: [missing] })).rejects.toMatchObject({
    code: 'geoserver.nothing_to_push',
  })
})
