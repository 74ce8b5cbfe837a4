import { expect, test } from 'vitest'
import { assets, make, run, session } from '../support/engine.ts'

/** A seeded scene of 13 bands, large enough for overviews: land, a lake, and no data beside it. */
const SCENE = `
import numpy, rasterio
from rasterio.transform import from_origin
rng = numpy.random.default_rng(5)
land = numpy.array([1150, 900, 850, 620, 1100, 2500, 3100, 3200, 3400, 1100, 15, 1700, 850])[:, None, None]
lake = numpy.array([1200, 950, 780, 480, 420, 330, 320, 290, 260, 120, 12, 120, 80])[:, None, None]
rows, columns = numpy.mgrid[0:700, 0:1100]
wet = numpy.hypot(rows - 350, columns - 550) < 200
bands = (numpy.where(wet, lake, land) * rng.uniform(0.95, 1.05, (1, 700, 1100))).astype('uint16')
bands[:, :, :60] = 0
with rasterio.open('2024-06-10_s.tif', 'w', driver='GTiff', width=1100, height=700, count=13, dtype='uint16', nodata=0,
                   crs='EPSG:32630', transform=from_origin(600000, 4300000, 10, 10)) as made:
    made.write(bands)
`

/** What GDAL's own programs say of every raster of a task. */
const LOOK = `
import glob, json, os, subprocess, sys
from osgeo_utils.samples import validate_cloud_optimized_geotiff as cog
said = {}
for path in sorted(glob.glob('/o/task_0/*.tif')):
    try:
        warnings, errors, _ = cog.validate(path, full_check=True)
    except cog.ValidateCloudOptimizedGeoTIFFException as error:
        warnings, errors = [], [str(error)]
    info = subprocess.run(['gdalinfo', path], check=True, capture_output=True, text=True)
    said[os.path.basename(path)] = {'warnings': warnings, 'errors': errors, 'info': info.stdout, 'stderr': info.stderr}
print(json.dumps(said))
`
interface Said {
  warnings: string[]
  errors: string[]
  info: string
  stderr: string
}

/** Names after the scene's, and how gdalinfo describes the first band. */
const RASTERS = {
  '_imputed.tif': 'Type=Float32, ColorInterp=Gray',
  '_imputed_pred.tif': 'Type=Int16, ColorInterp=Gray',
  '_pred_classes.tif': 'Type=Byte, ColorInterp=Palette',
  '_pred_hybrid_regularized.tif': 'Type=Int16, ColorInterp=Gray',
  '_pred_masked.tif': 'Type=Int16, ColorInterp=Gray',
  '_rgb.tif': 'Type=Float32, ColorInterp=Gray',
  'cloud_mask.tif': 'Type=Byte, ColorInterp=Gray',
}

test('every raster of a task is a valid COG to GDAL, and gdalinfo shows the classes in their colours', () =>
  session(async () => {
    const post_processing = { cloud_masking: true, regularization: { technique: 'hybrid' } }
    const { outputs, manifest } = await run(
      'tiny-water',
      make(SCENE),
      ['2024-06-10_s.tif'],
      {},
      { post_processing, temporal_domain: ['2024-06-10'] },
    )
    expect(manifest.status, JSON.stringify(manifest.tasks)).toBe('COMPLETED')
    const text = await assets()
      .directory('containers/gdal')
      .dockerBuild()
      .withMountedDirectory('/o', outputs)
      .withExec(['python3', '-c', LOOK])
      .stdout()
    const said = JSON.parse(text) as Record<string, Said>
    // The scene itself lies there as it came.
    delete said['2024-06-10_s.tif']
    const short = (name: string) => name.replace('2024-06-10_s', '')
    expect(
      Object.entries(said).map(([name, { info }]) => [
        short(name),
        /Band 1 Block=512x512 (.*)/.exec(info)?.[1],
      ]),
    ).toEqual(Object.entries(RASTERS))
    for (const [name, { warnings, errors, stderr, info }] of Object.entries(said)) {
      expect([warnings, errors, stderr], name).toEqual([[], [], ''])
      expect(info, name).toContain('ID["EPSG",32630]]')
      expect(info, name).toContain('LAYOUT=COG')
    }
    // GeoServer hides by a mask what it would draw black by nodata alone.
    const picture = said['2024-06-10_s_rgb.tif']!.info
    expect(picture).toContain('Mask Flags: PER_DATASET')
    expect(picture).toContain('NoData Value=-9999')
    // With the classes' names beside it and inside it, and their colours in its table.
    const { info } = said['2024-06-10_s_pred_classes.tif']!
    expect(info).toMatch(/Categories:\n\s+0: Land\n\s+1: Water\n/)
    expect(info).toMatch(/Metadata:\n\s+CLASS_0=Land\n\s+CLASS_1=Water\n/)
    expect(info).toMatch(
      /Color Table \(RGB with 256 entries\)\n\s+0: 128,128,128,255\n\s+1: 69,137,255,255\n/,
    )
    expect(info).toContain('NoData Value=255')
    if (process.env.GEODAG_KEEP) await outputs.export(process.env.GEODAG_KEEP)
  }))
