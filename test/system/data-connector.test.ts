import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { type Client, dag } from '@dagger.io/dagger'
import { expect, test } from 'vitest'
import { stepResult } from '../../steps/contract.ts'
import { contract } from '../../steps/data-connector/contract.ts'
import { dataConnector } from '../../steps/data-connector/step.ts'
import { assets, make, root, session } from '../support/engine.ts'

/** Two neighbours of one day: A with DN 1000, and B with DN 2000 four kilometres to the east. */
const MAKE = `
import numpy, rasterio
from rasterio.transform import from_origin
for name, west, dn in (("A", 500000, 1000), ("B", 504000, 2000)):
    with rasterio.open(f"{name}.tif", "w", driver="COG", blocksize=256, count=1, width=512, height=512, dtype="uint16",
                       crs="EPSG:32631", transform=from_origin(west, 5000000, 10, 10), nodata=0) as raster:
        raster.write(numpy.full((1, 512, 512), dn, "uint16"))
`
const COUNT = `
import glob, numpy, rasterio
array = rasterio.open(glob.glob("/out/*_2024-06-10.tif")[0]).read()
print({int(v): int(n) for v, n in zip(*numpy.unique(array, return_counts=True))})
`

test('items are read once through the engine: a second task takes the pixels, a failure is tried again', async () => {
  const files: Record<string, Buffer> = {}
  let asked = 0
  let gone = false
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    asked++
    const data = gone ? undefined : files[request.url!]
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
    if (!data || !range) return response.writeHead(404).end()
    const [first, last] = [Number(range[1]), Math.min(Number(range[2]), data.length - 1)]
    const headers = { 'content-range': `bytes ${first}-${last}/${data.length}` }
    return response.writeHead(206, headers).end(data.subarray(first, last + 1))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  await session(async () => {
    const made = make(MAKE)
    for (const name of ['A', 'B']) {
      const path = `${root}/out/test-data-connector-${name}.tif`
      await made.file(`${name}.tif`).export(path)
      files[`/${name}.tif`] = readFileSync(path)
    }
    const item = (id: string, path: string) => ({
      ...{ id, collection: 'test/s2', datetime: '2024-06-10T10:50:31.024Z', cloud_cover: 5 },
      ...{ tile: null, baseline: null, platform: null, orbit: null },
      footprint: { type: 'Polygon', coordinates: [] },
      bands: {
        blue: {
          ...{ href: `http://items:${port}${path}`, file_band: 1, scale: 1, offset: 0, nodata: 0 },
          ...{ class_band: false, epsg: 32631, transform: null, shape: null, gsd: 10 },
        },
      },
    })
    const run = async (task_id: string, name: string, ...items: unknown[]) => {
      const parameters = contract.parameters.parse({
        ...{ task_id, allow_private_hosts: true },
        modalities: [
          {
            ...{ name, collection: 'test/s2', date: '2024-06-10', radiometry: 'harmonised', items },
            grid: {
              epsg: 32631,
              transform: [500000, 10, 0, 5000000, 0, -10],
              width: 912,
              height: 512,
            },
            bands: [{ band_name: 'blue', scaling_factor: 0.0001 }],
          },
        ],
      })
      const env = {
        ...{ dag: dag as Client, assets: assets(), runKey: `${task_id}-${Date.now()}` },
        secrets: { access: dag.setSecret('access', '{"bearer":{},"sas":{},"signed":{}}') },
        services: { items: dag.host().service([{ backend: port, frontend: port }]) },
      }
      const input = { files: dag.directory(), artifacts: {} }
      const out = await dataConnector.out(env, input, parameters)
      return { out, result: stepResult.parse(JSON.parse(await out.file('result.json').contents())) }
    }
    const name = `S2-${port}`
    const both = [item('A', '/A.tif'), item('B', '/B.tif')]
    const first = await run('i-task_0', name, ...both)
    expect(first.result.error).toBeNull()
    expect(first.result.artifacts).toEqual({
      original_input_image: `i-task_0_${name}_2024-06-10.tif`,
      imputed_input_image: `i-task_0_${name}_2024-06-10_imputed.tif`,
    })
    const counted = await assets()
      .directory('containers/raster')
      .dockerBuild()
      .withMountedDirectory('/out', first.out)
      .withExec(['python3', '-c', COUNT])
      .stdout()
    expect(counted.trim()).toBe('{1000: 262144, 2000: 204800}')
    expect((await first.out.entries()).sort()).toEqual([
      ...Object.values(first.result.artifacts).sort(),
      ...['log.txt', 'result.json', 'valid.tif'],
    ])
    const before = asked
    const other = await run('j-task_7', name, ...both)
    expect(other.result.artifacts.original_input_image).toBe(`j-task_7_${name}_2024-06-10.tif`)
    expect(asked).toBe(before)
    const digest = async ({ out, result }: typeof first) =>
      out.file(result.artifacts.imputed_input_image!).digest({ excludeMetadata: true })
    expect(await digest(other)).toBe(await digest(first))
    gone = true
    const lost = await run('k-task_0', `lost-${port}`, ...both)
    expect(lost.result.error?.code).toBe('source.not_found')
    gone = false
    expect((await run('k-task_0', `lost-${port}`, ...both)).result.error).toBeNull()
  })
  server.close()
})
