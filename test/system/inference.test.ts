import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dag } from '@dagger.io/dagger'
import { expect, test } from 'vitest'
import { assets, make, run, scene, session } from '../support/engine.ts'
import { realTest } from '../support/real-test.ts'
import { LAKE, lakeOverlap } from '../support/scenes.ts'

const real = (path: string, name: string) => dag.directory().withFile(name, scene(path))

/** What Python in the raster image says of the outputs in /o, as JSON; more files lie in /given. */
const ask = async (
  outputs: ReturnType<typeof real>,
  script: string,
  given: Readonly<Record<string, string>> = {},
) => {
  const base = assets().directory('containers/raster').dockerBuild()
  const examples = assets().file('examples/make_scene.py')
  const mounted = Object.entries(given).reduce(
    (container, [name, path]) => container.withMountedFile(`/given/${name}`, scene(path)),
    base.withMountedDirectory('/o', outputs).withMountedFile('/examples/make_scene.py', examples),
  )
  const text = await mounted
    .withExec(['python3', '-c', `import json,glob,sys,rasterio,numpy\n${script}`])
    .stdout()
  return JSON.parse(text)
}

test('csmask finds the clouds of a synthetic scene, where they were put', () =>
  session(async () => {
    const bands = 'B02,B03,B04,B08,B11,B12'
    const six = assets()
      .directory('containers/raster')
      .dockerBuild()
      .withMountedFile('/make_scene.py', assets().file('examples/make_scene.py'))
      .withExec(['python3', '/make_scene.py', '/s.tif', '--size', '512', '--bands', bands])
      .file('/s.tif')
    const inputs = dag.directory().withFile('six.tif', six)
    const { outputs, manifest } = await run('ukis-csmask', inputs, ['six.tif'])
    expect(manifest.status).toBe('COMPLETED')
    const said = await ask(
      outputs,
      `
sys.path.insert(0, '/examples'); import make_scene
p=rasterio.open(glob.glob('/o/task_0/*_pred.tif')[0]).read(1)
cloud=make_scene.scene_and_clouds(7, 512)[1]
found=lambda where: float((p==1)[where].mean())
# The opaque middles are of one colour, unlike any cloud that the model was trained on.
print(json.dumps({'clouds': found((cloud>.2)&(cloud<.8)), 'clear': found(cloud==0), 'true': float((cloud>0)[p==1].mean()), 'shadow': float((p==2).mean())}))`,
    )
    expect(said.clouds).toBeGreaterThan(0.9)
    expect(said.clear).toBeLessThan(0.02)
    expect(said.true).toBeGreaterThan(0.95)
    expect(said.shadow).toBeGreaterThan(0.01)
  }))

realTest(
  'csmask agrees with the label beside a real scene: accuracy about 0.90',
  ['csmask_sentinel2_6band.tif', 'csmask_sentinel2_label.tif'],
  (given) =>
    session(async () => {
      const name = 'csmask_sentinel2_6band.tif'
      const { outputs, manifest } = await run('ukis-csmask', real(given[name]!, name), [name])
      expect(manifest.status).toBe('COMPLETED')
      const accuracy = await ask(
        outputs,
        `
p=rasterio.open(glob.glob('/o/task_0/*_pred.tif')[0]).read(1)
l=rasterio.open('/given/csmask_sentinel2_label.tif').read(1)
print(json.dumps(float((p==l).mean())))`,
        given,
      )
      expect(accuracy).toBeGreaterThan(0.89)
    }),
)

realTest(
  'tiny-water agrees with its index rule on a real scene',
  ['Spain_7370579_S2Hand.tif'],
  (given) =>
    session(async () => {
      const name = 'Spain_7370579_S2Hand.tif'
      const { outputs, manifest } = await run('tiny-water', real(given[name]!, name), [name])
      expect(manifest.status).toBe('COMPLETED')
      const overlap = await ask(
        outputs,
        `
p=rasterio.open(glob.glob('/o/task_0/*_pred.tif')[0]).read(1)
x=rasterio.open('/given/${name}').read().astype(float)
rule=((x[2]-x[11])/(x[2]+x[11]+1e-9)>.1)&((x[2]-x[8])/(x[2]+x[8]+1e-9)>-.1)
print(json.dumps(float(((p==1)&rule).sum()/((p==1)|rule).sum())))`,
        given,
      )
      expect(overlap).toBeGreaterThan(0.7)
    }),
)

test('tiny-water finds the lake where it was put, and a second call does no step again but the push', () =>
  session(async () => {
    const go = () =>
      run(
        'tiny-water',
        real(LAKE, 'lake.tif'),
        ['lake.tif'],
        {},
        { temporal_domain: ['2019-09-18'] },
      )
    const first = await go()
    expect(first.manifest.status).toBe('COMPLETED')
    const said = await ask(
      first.outputs,
      `
d=rasterio.open(glob.glob('/o/task_0/*_pred.tif')[0]); s=rasterio.open('/given/lake.tif')
print(json.dumps({'crs': d.crs==s.crs, 'transform': d.transform==s.transform, 'pixels': d.read(1).tolist(),
 'layout': d.tags(ns='IMAGE_STRUCTURE').get('LAYOUT'), 'nodata': d.nodata, 'dtype': d.dtypes[0]}))`,
      { 'lake.tif': LAKE },
    )
    expect(said).toMatchObject({
      crs: true,
      transform: true,
      layout: 'COG',
      nodata: -1,
      dtype: 'int16',
    })
    expect(lakeOverlap((row, column) => said.pixels[row][column] === 1)).toBeGreaterThan(0.95)
    const again = await go()
    const steps = again.manifest.tasks[0]!.steps
    expect(
      steps.map((step) => [step.process_id, step.cached || step.status === 'SKIPPED']),
    ).toEqual(first.manifest.tasks[0]!.steps.map((step) => [step.process_id, true]))
    const folder = mkdtempSync(join(tmpdir(), 'geodag-'))
    await again.outputs.export(folder)
    const png = readFileSync(join(folder, 'preview.png'))
    expect(png.subarray(1, 4).toString()).toBe('PNG')
    // Each file once, under the name that it was delivered as.
    const zipped = await ask(
      first.outputs,
      "import zipfile\nprint(json.dumps(zipfile.ZipFile('/o/task_0/archive.zip').namelist()))",
    )
    const stem = '2019-09-18_lake'
    const rasters = ['', '_imputed', '_imputed_pred', '_pred_classes', '_rgb']
    const vectors = ['_pred.geojson', '_pred.gpkg', '_pred_classes.tif.aux.xml']
    const names = [...rasters.map((name) => `${name}.tif`), ...vectors]
    expect(zipped.sort()).toEqual([...names.map((name) => stem + name), 'stats.csv'].sort())
    const item = JSON.parse(readFileSync(join(folder, 'task_0/item.json'), 'utf8'))
    expect(item).toMatchObject({
      ...{ type: 'Feature', stac_version: '1.1.0', id: stem },
      properties: { datetime: '2019-09-18T00:00:00Z', 'proj:code': 'EPSG:32630' },
    })
  }))

const BAD = `
import numpy, rasterio, zipfile
from rasterio.transform import from_origin
def tif(name, bands, fill, crs='EPSG:32630', nodata=0):
    with rasterio.open(name, 'w', driver='GTiff', count=bands, height=128, width=128, dtype='uint16', crs=crs,
                       transform=from_origin(500000, 4500000, 10, 10), nodata=nodata) as d:
        d.write(numpy.full((bands, 128, 128), fill, 'uint16'))
open('not-a-raster.tif', 'w').write('hello')
tif('too-few-bands.tif', 3, 500)
tif('all-nodata.tif', 13, 0)
tif('no-crs.tif', 13, 500, None)
with zipfile.ZipFile('bomb.zip', 'w') as z: [z.writestr(f'{n}.tif', b'') for n in range(1001)]
with zipfile.ZipFile('empty.zip', 'w') as z: z.writestr('readme.txt', 'x')
open('vrt.tif', 'w').write('<VRTDataset rasterXSize="1" rasterYSize="1"></VRTDataset>')
`
const cases: [string, string, object?][] = [
  ['not-a-raster.tif', 'source.not_raster'],
  ['vrt.tif', 'source.not_raster'],
  ['too-few-bands.tif', 'source.too_few_bands'],
  ['all-nodata.tif', 'source.all_nodata'],
  ['bomb.zip', 'source.zip_bomb'],
  ['empty.zip', 'source.zip_empty'],
  ['no-crs.tif', 'source.no_crs', { geoserverUrl: 'http://127.0.0.1:9/geoserver' }],
]

test.each(cases)(
  '%s fails with %s, the file named, and no stack trace',
  (file, code, options = {}) =>
    session(async () => {
      const { manifest, outputs } = await run('tiny-water', make(BAD), [file], options)
      const step = manifest.tasks[0]!.steps[0]!
      expect(manifest.status).toBe('FAILED')
      expect(step.error?.code).toBe(code)
      expect(manifest.tasks[0]!.steps.slice(1).every((s) => s.status === 'STOPPED')).toBe(true)
      const log = await outputs.file(step.log!).contents()
      expect(log).toContain(code)
      expect(log).not.toContain('Traceback')
    }),
)

test('a URL to a private address or another scheme of trick is refused', () =>
  session(async () => {
    for (const url of [
      'http://127.0.0.1/a.tif',
      'http://169.254.169.254/latest',
      'http://[::1]/a.tif',
    ]) {
      const { manifest } = await run(
        'tiny-water',
        dag.directory(),
        [],
        {},
        { spatial_domain: { urls: [url] } },
      )
      expect(manifest.tasks[0]!.steps[0]!.error?.code).toBe('source.forbidden_host')
    }
  }))
