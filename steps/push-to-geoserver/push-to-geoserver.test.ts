import { afterEach, beforeEach, expect, test } from 'vitest'
import { startGeoserver } from '../../test/support/geoserver.ts'
import { contract } from './contract.ts'
import { push } from './program/push.ts'
import { sldOf } from './program/sld.ts'

let stand: Awaited<ReturnType<typeof startGeoserver>>
beforeEach(async () => void (stand = await startGeoserver()))
afterEach(() => void stand.close())

const style = {
  segmentation: [{ color: '#4589FF', opacity: 1, quantity: 1, label: 'a < "b" & c' }],
}
const layer = {
  workspace: 'geofm',
  layer_name: 'pred',
  display_name: 'P',
  filepath_key: 'model_output_image',
  geoserver_style: style,
}
const artifacts = { model_output_image: '2024-08-12_a_pred.tif' }
const go = (password = 'geoserver', more: object = {}, made: Record<string, string> = artifacts) =>
  push(
    { url: stand.url, username: 'admin', password, pause: 1 },
    { layer_prefix: 'i', layers: [layer], ...more },
    made,
    () => Buffer.from('tif'),
    () => {},
  )

test('a new store is made with its workspace and time; a second push adds a granule', async () => {
  const { predicted_layers } = await go()
  expect(predicted_layers).toMatchObject([{ uri: 'geofm:i-pred', display_name: 'P' }])
  expect(stand.stores.get('geofm:i-pred')).toEqual({
    granules: ['2024-08-12_a_pred.tif'],
    time: true,
  })
  await go('geoserver', {}, { model_output_image: '2024-08-13_a_pred.tif' })
  expect(stand.stores.get('geofm:i-pred')!.granules).toHaveLength(2)
})

test("a file without a date takes the task's, or is pushed without time", async () => {
  await go('geoserver', { date: '2024-01-02' }, { model_output_image: 'a.tif' })
  expect(stand.stores.get('geofm:i-pred')).toEqual({ granules: ['2024-01-02_a.tif'], time: true })
  await go('geoserver', { layer_prefix: 'j' }, { model_output_image: 'a.tif' })
  expect(stand.stores.get('geofm:j-pred')).toEqual({ granules: ['a.tif'], time: false })
})

test('a wrong password fails at once with geoserver.unauthorized and is not in the message', async () => {
  await expect(go('hunter2')).rejects.toMatchObject({
    code: 'geoserver.unauthorized',
    message: expect.not.stringContaining('hunter2'),
  })
  expect(stand.requests).toHaveLength(1)
})

test('503 is tried again, five times and no more', async () => {
  stand.failNext(3)
  expect((await go()).predicted_layers).toHaveLength(1)
  stand.failNext(99)
  await expect(go()).rejects.toMatchObject({ code: 'geoserver.unreachable' })
})

test('a layer without its file is skipped with the reason; none at all is an error', async () => {
  const missing = { ...layer, layer_name: 'masked', filepath_key: 'model_output_image_masked' }
  const { predicted_layers, skipped } = await go('geoserver', { layers: [layer, missing] })
  expect(predicted_layers).toHaveLength(1)
  expect(skipped).toEqual([
    { layer_name: 'masked', reason: 'no earlier step made model_output_image_masked' },
  ])
  await expect(go('geoserver', { layers: [missing] })).rejects.toMatchObject({
    code: 'geoserver.nothing_to_push',
  })
})

test('a style is SLD 1.0.0 with its values escaped, in the order that QGIS reads', () => {
  expect(sldOf('w:l', style)).toContain(
    '<ColorMapEntry color="#4589FF" opacity="1" quantity="1" label="a &lt; &quot;b&quot; &amp; c"/>',
  )
  expect(sldOf('w:l', '')).toBe('')
})

test('the contract wants an http URL or null', () => {
  const accepts = (url: unknown) =>
    contract.parameters.safeParse({ url, layer_prefix: 'i', layers: [] }).success
  expect([accepts(null), accepts('https://h/geoserver'), accepts('file:///x')]).toEqual([
    true,
    true,
    false,
  ])
})
