import { dag } from '@dagger.io/dagger'
import { expect, test } from 'vitest'
import { make, root, run, session } from '../support/engine.ts'

/** Six bands of reflectance x 10,000 at 30 m: vegetation, and one bright cloud of 60 x 60 pixels. */
const SCENE = `
import numpy, rasterio
from rasterio.transform import from_origin
rng = numpy.random.default_rng(1)
land, cloud = [400, 700, 500, 3200, 1900, 900], [7600, 7500, 7400, 7600, 5200, 4400]
x = numpy.array(land)[:, None, None] * rng.uniform(0.8, 1.2, (6, 256, 256))
rows, columns = numpy.mgrid[0:256, 0:256]
soft = numpy.clip(1.4 - numpy.hypot(rows - 110, columns - 120) / 40, 0, 1)
x = x * (1 - soft) + numpy.array(cloud)[:, None, None] * soft * rng.uniform(0.9, 1.1, (1, 256, 256))
with rasterio.open('2024-06-10_scene.tif', 'w', driver='GTiff', count=6, height=256, width=256, dtype='uint16', crs='EPSG:32630', transform=from_origin(500000, 4500000, 30, 30)) as d:
    d.write(x.astype('uint16'))
`
const LOOK = `
import json, rasterio, zipfile, glob
m = rasterio.open(glob.glob('/o/task_0/*_masked.tif')[0]); a = m.read(1)
c = rasterio.open('/o/task_0/cloud_mask.tif').read(1)
k = rasterio.open(glob.glob('/o/task_0/*_classes.tif')[0])
i = json.load(open('/o/task_0/item.json'))
print(json.dumps({'centre': int(a[110, 120]), 'corner': int(a[240, 20]), 'agree': bool(((a == 999) == ((c == 1) | (c == 2))).all()),
 'cloud': float((a == 999).mean()), 'nodata': m.nodata, 'tags': k.tags(1), 'assets': sorted(i['assets']),
 'zip': zipfile.ZipFile('/o/task_0/archive.zip').namelist(), 'table': open('/o/task_0/stats.csv').read().splitlines()[0]}))
`

test('a scene without a class band gets its clouds from csmask, and all layers that people look at', () =>
  session(async () => {
    const { outputs, manifest } = await run(
      'ukis-csmask',
      make(SCENE),
      ['2024-06-10_scene.tif'],
      {},
      { post_processing: { cloud_masking: 'True', regularization: { technique: 'hybrid' } } },
    )
    expect(
      manifest.tasks[0]!.steps.map((step) => [step.process_id, step.status, step.error]),
    ).toEqual([
      ['url-connector', 'FINISHED', null],
      ['onnx-inference', 'FINISHED', null],
      ['cloud-mask', 'FINISHED', null],
      ['postprocess-generic', 'FINISHED', null],
      ['push-to-geoserver', 'SKIPPED', null],
    ])
    const said = JSON.parse(
      await dag
        .host()
        .directory(`${root}/containers/raster`)
        .dockerBuild()
        .withMountedDirectory('/o', outputs)
        .withExec(['python3', '-c', LOOK])
        .stdout(),
    )
    expect(said).toMatchObject({ centre: 999, corner: 0, agree: true, nodata: -9999 })
    expect(said.cloud).toBeGreaterThan(0.02)
    expect(said.cloud).toBeLessThan(0.4)
    expect(said.tags).toMatchObject({ CLASS_0: 'Clear', CLASS_1: 'Cloud', CLASS_2: 'Cloud shadow' })
    expect(said.assets).toEqual(
      expect.arrayContaining([
        'classes',
        'cloud_mask',
        'polygons',
        'prediction_masked',
        'statistics',
      ]),
    )
    expect(said.zip).toEqual(expect.arrayContaining(['cloud_mask.tif', 'stats.csv']))
    expect(said.table).toBe('value,label,pixels,share,area_km2')
  }))
