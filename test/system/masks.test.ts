import { createServer } from 'node:http'
import { mkdtempSync, readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dag, type Directory } from '@dagger.io/dagger'
import { expect, test } from 'vitest'
import type { ModelMetadata } from '../../pipelines/model.ts'
import { assets, make, run, session } from '../support/engine.ts'

/**
 * Two scenes of 30 m in EPSG:32630: `classed.tif` of six bands and SCL, land with a block of each
 * class and without data; `2024-06-10_clear.tif` of six bands with one cloud of 40 pixels around
 * (110, 120), textured. And what the masks by URL are made from.
 */
const FILES = `
import json, numpy, rasterio
from rasterio.transform import from_origin
rng = numpy.random.default_rng(1)
def write(name, bands, step=30, **more):
    count, height, width = bands.shape
    with rasterio.open(name, 'w', driver='GTiff', count=count, height=height, width=width, dtype=bands.dtype,
                       crs='EPSG:32630', transform=from_origin(500000, 4500000, step, step), **more) as made:
        made.write(bands)
def polygon(name, *pixels):
    rings = [[[500000 + 30 * x, 4500000 - 30 * y] for x, y in ((w, n), (e, n), (e, s), (w, s), (w, n))] for n, s, w, e in pixels]
    crs = {'type': 'name', 'properties': {'name': 'urn:ogc:def:crs:EPSG::32630'}}
    features = [{'type': 'Feature', 'properties': {}, 'geometry': {'type': 'Polygon', 'coordinates': [ring]}} for ring in rings]
    json.dump({'type': 'FeatureCollection', 'crs': crs, 'features': features}, open(name, 'w'))
land = numpy.array([1100, 1000, 800, 2800, 2000, 1100])[:, None, None]

classed = numpy.full((7, 96, 96), 4, 'uint16')
classed[:6] = land
for column, value in enumerate((3, 8, 9, 11, 6, 0)):
    classed[6, 0:8, 8 * column:8 * column + 8] = value
classed[6, 40:44, 20:24], classed[6, 40:48, 84:96] = 9, 9
classed[:6, 80:, :16], classed[6, 80:, :16] = 0, 9
write('classed.tif', classed, nodata=0)
write('2024-06-10_six.tif', classed[:6], nodata=0)
write('2024-06-10_scl.tif', classed[6:, ::2, ::2].astype('uint8'), step=60)
polygon('land.geojson', (-10, 106, -10, 80))
polygon('mask.geojson', (40, 48, 20, 30))

rows, columns = numpy.mgrid[0:256, 0:256]
texture = numpy.zeros((256, 256))
for f in (4, 8, 16, 32, 64):
    g, i, j = rng.random((f + 1, f + 1)), rows * f / 256, columns * f / 256
    a, b = i.astype(int), j.astype(int)
    u, v = i - a, j - b
    texture += (g[a, b] * (1 - u) * (1 - v) + g[a + 1, b] * u * (1 - v) + g[a, b + 1] * (1 - u) * v + g[a + 1, b + 1] * u * v) / f ** 0.6
texture = (texture - texture.min()) / numpy.ptp(texture)
cloud = numpy.array([6000, 5800, 5800, 6200, 4000, 3000])[:, None, None] * (0.8 + 0.4 * texture)
soft = numpy.clip((1 - numpy.hypot(rows - 110, columns - 120) / 40) * 2, 0, 1)
write('2024-06-10_clear.tif', (land * rng.uniform(0.95, 1.05, (1, 256, 256)) * (1 - soft) + cloud * soft).astype('uint16'))
water = numpy.zeros((1, 128, 128), 'uint8')
water[0, 100:110, 5:25] = 80
write('water.tif', water, step=60)
`

const CLASSED = `
import glob, json, numpy, rasterio
a = rasterio.open(glob.glob('/o/task_0/*_masked.tif')[0]).read(1)
p = rasterio.open(glob.glob('/o/task_0/*_imputed_pred.tif')[0])
want = p.read(1).astype(int)
for column, value in enumerate((999, 999, 999, 998, 997, -9999)):
    want[0:8, 8 * column:8 * column + 8] = value
want[80:, :16] = want[:, 80:] = -9999
want[40:48, 19:31] = want[39:49, 20:30] = 90
print(json.dumps({'wrong': int((a != want).sum()), 'values': sorted(set(a.ravel().tolist()) - {0, 1}),
 'gap': sorted(set(p.read(1)[80:, :16].ravel().tolist())), 'nodata': p.nodata,
 'input': rasterio.open(glob.glob('/o/task_0/*_imputed.tif')[0]).count}))
`
const CLEAR = `
import glob, json, rasterio, zipfile
m = rasterio.open(glob.glob('/o/task_0/*_masked.tif')[0]); a = m.read(1)
c = rasterio.open('/o/task_0/cloud_mask.tif').read(1)
k = rasterio.open(glob.glob('/o/task_0/*_classes.tif')[0])
i = json.load(open('/o/task_0/item.json'))
water = (a == 997)
print(json.dumps({'centre': int(a[110, 120]), 'corner': int(a[20, 240]), 'agree': bool(((a == 999) == ((c == 1) | (c == 2))).all()),
 'cloud': float((a == 999).mean()), 'nodata': m.nodata, 'water': [int(water.sum()), int(water[200:220, 10:50].sum())],
 'tags': k.tags(1), 'assets': sorted(i['assets']), 'zip': zipfile.ZipFile('/o/task_0/archive.zip').namelist(),
 'table': open('/o/task_0/stats.csv').read().splitlines()}))
`

const look = async (outputs: Directory, script: string) =>
  JSON.parse(
    await assets()
      .directory('containers/raster')
      .dockerBuild()
      .withMountedDirectory('/o', outputs)
      .withExec(['python3', '-c', script])
      .stdout(),
  )

const withScl = (model: ModelMetadata): ModelMetadata => {
  const spec = model.model_input_data_spec[0]!
  const bands = spec.bands.map((band, index) => ({ ...band, index }))
  const scl = { index: 6, band_name: 'SCL', RGB_band: null, scaling_factor: 1, offset: 0 }
  return { ...model, model_input_data_spec: [{ ...spec, bands: [...bands, scl] }] }
}

test('masks of every kind over a task: exact values at exact pixels; clouds by csmask without a class band', async () => {
  let folder = ''
  const files = createServer((request, response) => {
    response.writeHead(200).end(readFileSync(join(folder, request.url!)))
  })
  await new Promise<void>((listening) => files.listen(0, '127.0.0.1', listening))
  const { port } = files.address() as AddressInfo
  await session(async () => {
    const made = make(FILES)
    folder = mkdtempSync(join(tmpdir(), 'geodag-masks-'))
    await made.export(folder)
    const here = `http://files:${port}`
    const service = dag.host().service([{ backend: port, frontend: port }])
    const go = async (
      model: string,
      file: string,
      post_processing: object,
      masks: object,
      change?: (model: ModelMetadata) => ModelMetadata,
      urls: Record<string, string>[] = [],
    ) => {
      const { outputs, manifest } = await run(
        model,
        made,
        file ? [file] : [],
        { masks, allowPrivateHosts: true },
        { post_processing, ...(urls.length ? { spatial_domain: { urls } } : {}) },
        { services: { files: service } },
        change,
      )
      const steps = manifest.tasks[0]!.steps
      expect(steps.map(({ error }) => error).filter(Boolean)).toEqual([])
      return { outputs, steps: steps.map(({ process_id, status }) => `${process_id} ${status}`) }
    }

    const all = {
      ...{ cloud_masking: true, snow_ice_masking: true, permanent_water_masking: true },
      ...{ ocean_masking: 'True' },
      mask_from_url: { url: `${here}/mask.geojson`, buffer_size_m: 20 },
    }
    const land = { landPolygons: `${here}/land.geojson` }
    const classed = await go('tiny-water', 'classed.tif', all, land, withScl)
    expect(classed.steps).toContain('mask-sources FINISHED')
    expect(classed.steps).not.toContain('cloud-mask FINISHED')
    expect(await look(classed.outputs, CLASSED)).toEqual({
      ...{ wrong: 0, values: [-9999, 90, 997, 998, 999], gap: [-1], nodata: -1, input: 6 },
    })

    // The classes in a raster of their own, of pixels twice as wide.
    const apart = (model: ModelMetadata): ModelMetadata => {
      const { model_input_data_spec: specs, ...more } = withScl(model)
      const [bands, scl] = [specs[0]!.bands.slice(0, 6), specs[0]!.bands.slice(6)]
      const own = { modality_tag: 'SCL', bands: scl.map((band) => ({ ...band, index: 0 })) }
      return { ...more, model_input_data_spec: [{ ...specs[0]!, bands }, own] }
    }
    const urls = [{ s2_l1c: `${here}/2024-06-10_six.tif`, SCL: `${here}/2024-06-10_scl.tif` }]
    const two = await go('tiny-water', '', all, land, apart, urls)
    expect(two.steps).toEqual(classed.steps)
    expect(await look(two.outputs, CLASSED)).toMatchObject({ wrong: 0, input: 6 })

    const post = { cloud_masking: 'True', permanent_water_masking: true, regularization: 'True' }
    const water = { permanentWater: `${here}/water.tif`, permanentWaterValues: [80] }
    const clear = await go('ukis-csmask', '2024-06-10_clear.tif', post, water)
    expect(clear.steps).toEqual([
      ...['url-connector FINISHED', 'onnx-inference FINISHED', 'mask-sources FINISHED'],
      ...['cloud-mask FINISHED', 'postprocess-generic FINISHED', 'push-to-geoserver SKIPPED'],
    ])
    const said = await look(clear.outputs, CLEAR)
    expect(said).toMatchObject({ centre: 999, corner: 0, agree: true, nodata: -9999 })
    expect(said.water).toEqual([800, 800])
    expect(said.cloud).toBeGreaterThan(0.01)
    expect(said.cloud).toBeLessThan(0.4)
    expect(said.tags).toMatchObject({ CLASS_0: 'Clear', CLASS_1: 'Cloud', CLASS_2: 'Cloud shadow' })
    const named = ['classes', 'cloud_mask', 'polygons', 'prediction_masked', 'statistics']
    expect(said.assets).toEqual(expect.arrayContaining(named))
    expect(said.zip).toEqual(expect.arrayContaining(['cloud_mask.tif', 'stats.csv']))
    expect(said.table[0]).toBe('value,label,pixels,share,area_km2')
    expect(said.table).toContainEqual(expect.stringContaining('997,Permanent water,800,'))
    if (process.env.GEODAG_KEEP) await clear.outputs.export(process.env.GEODAG_KEEP)
  })
  files.close()
})
