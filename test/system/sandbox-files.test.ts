import { expect, test } from 'vitest'
import { assets, session } from '../support/engine.ts'
import { guard, type Ran, runScript, small } from '../support/sandbox.ts'

const roomy = { ...small, memory_mb: 1000, wall_seconds: 60, processes: 64 }
const run = (body: string, limits: object = roomy, parameters = {}): Promise<Ran> =>
  runScript(guard(body), limits, parameters)
const codeOf = ({ result }: Ran) => result.error?.code ?? result.status

test('whatever a script prints last, result.json is JSON and the log is kept', () =>
  session(async () => {
    const last = [
      'print(\'{"a": NaN, "b": [Infinity, -Infinity], "c": 1e999}\')',
      'print(\'{"a": \' + "[" * 1500 + "]" * 1500 + "}")',
      'print(\'{"a": \' + "{\\"b\\": " * 1500 + "1" + "}" * 1501)',
      'print(\'{"a": \' + "9" * 4000 + \', "b": 123456789012345678901}\')',
      'print(\'{"a": "\\\\ud800 \\\\u0000", "\\\\udfff": 1}\')',
      'os.write(1, b\'{"a": "\\xff\\xfe"}\\n\')',
      'open(b"caf\\xe9\\xff\\n.csv", "w"); print("x" * 20000)',
      'raise ValueError("\\0 \\ud800 odd words")',
    ]
    const ran = await Promise.all(last.map((body) => run(`print("first")\n${body}`, small)))
    expect(ran.map(codeOf)).toEqual([...Array(7).fill('FINISHED'), 'processor.failed'])
    for (const { result, log } of ran) {
      expect(log).toContain('first')
      // What Postgres' jsonb refuses: NUL and half a surrogate pair.
      expect(JSON.stringify(result)).not.toMatch(/(?<!\\)\\u(0000|d[89a-f])/)
    }
    const said = ran.map(({ result }) => result.details.result)
    expect(said[0]).toEqual({ a: 'NaN', b: ['Infinity', '-Infinity'], c: 'Infinity' })
    expect(said[3]).toMatchObject({ b: '123456789012345678901' })
  }))

test('a value that begins with a dash arrives as one word', () =>
  session(async () => {
    const body = `import argparse
p = argparse.ArgumentParser()
for n in ("bbox", "n", "input", "output", "empty"): p.add_argument("--" + n)
v = p.parse_args()
assert (v.bbox, v.n, v.empty) == ("-120.5,30,-110,40", "-1", ""), v`
    const ran = await run(body, small, { bbox: '-120.5,30,-110,40', n: -1, empty: '' })
    expect(codeOf(ran), ran.log).toBe('FINISHED')
  }))

const WRITE = (shape: string, more: string) => `import numpy, rasterio
from rasterio.transform import from_origin
with rasterio.open("new.tif", "w", driver="GTiff", count=1, ${shape}, dtype="int16"${more}) as d:
    d.write(numpy.ones((1, d.height, d.width), "int16"))`
const READ = `import sys, rasterio
with rasterio.open(sys.argv[1]) as d: print(d.crs, list(d.transform)[:6])`

test('a raster without a place takes its input’s where the size is equal, else it is refused', () =>
  session(async () => {
    const ran = await run(WRITE('height=64, width=64', ''))
    expect(codeOf(ran), ran.log).toBe('FINISHED')
    expect(ran.result.details.grid).toEqual({
      crs: 'EPSG:32630',
      shape: [64, 64],
      transform: [10, 0, 500000, 0, -10, 4500000],
      same: true,
      placed: true,
    })
    const said = await assets()
      .directory('containers/raster')
      .dockerBuild()
      .withMountedDirectory('/out', ran.out)
      .withExec(['python3', '-c', READ, '/out/a_processed_pred.tif'])
      .stdout()
    expect(said.trim()).toBe('EPSG:32630 [10.0, 0.0, 500000.0, 0.0, -10.0, 4500000.0]')
    const other = await run(WRITE('height=32, width=64', ''))
    expect(other.result.error?.code).toBe('processor.bad_output')
    expect(other.result.error?.message).toContain('has no CRS')
    const moved = await run(
      WRITE('height=32, width=32', ', crs="EPSG:32630", transform=from_origin(5e5, 45e5, 20, 20)'),
    )
    expect(moved.result.details.grid).toMatchObject({ same: false, placed: false })
  }))

test('every file that a script leaves is an artifact under a safe name that no other file has', () =>
  session(async () => {
    const ran = await run(`import numpy, pandas, geopandas, rasterio
from shapely.geometry import Point
import matplotlib.pyplot as plot
${WRITE('height=64, width=64', '')}
pandas.DataFrame({"a": [1]}).to_csv("table.csv")
open("notes.json", "w").write("{}")
os.makedirs("sub"); open("sub/notes.json", "w").write("{}")
open("preview.png", "w").write("mine"); open("result.json", "w").write("mine")
open("big ünd (1).txt", "w").write("x")
geopandas.GeoDataFrame({"n": [1]}, geometry=[Point(0, 0)], crs="EPSG:4326").to_file("points.gpkg")
plot.plot([1, 2]); plot.savefig("plot.png")
os.symlink("/etc/shadow", "link.csv")
open("a_pred_other.tif", "wb").write(b"x"); os.utime("a_pred_other.tif", (0, 0))`)
    expect(codeOf(ran), ran.log).toBe('FINISHED')
    const { model_output_image, model_output_image_raw, ...left } = ran.result.artifacts
    expect([model_output_image, model_output_image_raw]).toEqual([
      'a_processed_pred.tif',
      'a_pred.tif',
    ])
    expect(Object.keys(left).sort()).toEqual(
      [
        ...['a_pred_other.tif', 'big__nd__1_.txt', 'notes.json', 'notes_2.json', 'plot.png'],
        ...['points.gpkg', 'processor_preview.png', 'processor_result.json', 'table.csv'],
      ].map((name) => `processor/${name}`),
    )
    const made = await ran.out.entries()
    expect(made).toEqual(expect.arrayContaining([...Object.values(left), 'a_processed_pred.tif']))
    expect(await ran.out.file('processor_preview.png').contents()).toBe('mine')
  }))

const block = (...lines: string[]) => `# /// script\n${lines.join('\n')}\n# ///\n`
const withBlock = (lines: string[], body: string) =>
  runScript(block(...lines) + guard(body), { ...roomy })

test('the libraries of the image, and those that a script names, are there; others are refused by name', () =>
  session(async () => {
    const all =
      await run(`import numpy, rasterio, scipy, shapely, pandas, skimage.morphology, pyproj, xarray
import rioxarray, matplotlib.pyplot, cv2, pyogrio, geopandas, joblib
assert round(pyproj.Transformer.from_crs(4326, 32630).transform(40, -3)[0]) == 500000
print(rioxarray.open_rasterio(sys.argv[1]).rio.crs, cv2.__version__)`)
    expect(codeOf(all), all.log).toBe('FINISHED')
    const named = await withBlock(
      ['# requires-python = ">=3.11"', '# dependencies = ["tomli-w==1.2.0"]'],
      'import tomli_w, socket\nprint(tomli_w.dumps({"a": 1}))\nsocket.create_connection(("1.1.1.1", 80), 2)',
    )
    // It has the library and, as before, no network.
    expect(named.log).toContain('Libraries: tomli_w==1.2.0')
    expect(named.log).toContain('a = 1')
    expect(codeOf(named), named.log).toBe('processor.network')
    const refused: [string, string][] = [
      ['# requires-python = ">=3.13"', 'it is run by Python 3.11'],
      ['# dependencies = ["no-such-package-of-geodag"]', 'wheel for Python 3.11'],
      ['# dependencies = ["numpy>=2", "numpy<1"]', 'numpy'],
      ['# dependencies = ["x @ https://example.org/x.whl"]', 'no URLs, paths or options'],
      ['# dependencies = ["--index-url=https://example.org"]', 'no URLs, paths or options'],
    ]
    for (const [line, words] of refused) {
      const ran = await withBlock([line], 'print("ran")')
      expect(codeOf(ran), ran.log).toBe('processor.dependencies')
      expect(ran.result.error?.message).toContain(words)
      expect(ran.log).not.toMatch(/^ran$/m)
    }
  }))
