import { mkdtempSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, dag, type Directory } from '@dagger.io/dagger'
import { expect, test } from 'vitest'
import { compose } from '../../pipelines/compose.ts'
import { fanOut } from '../../pipelines/fan-out.ts'
import { type ModelMetadata, parseModel } from '../../pipelines/model.ts'
import { planTasks, sourcesOf } from '../../pipelines/plan.ts'
import { inferenceRequest } from '../../pipelines/request.ts'
import type { Scene } from '../../steps/plan-context.ts'
import type { StepEnvironment } from '../../steps/step.ts'
import { scenesInZip, type Zip } from '../../steps/url-connector/step.ts'
import { startService, water } from '../support/api.ts'
import { assets, make, root, session } from '../support/engine.ts'

const MADE = `
import zipfile, numpy, rasterio
from rasterio.transform import from_origin
for name, value in (("a", 1), ("b", 2)):
    with rasterio.open(name + ".tif", "w", driver="GTiff", width=9, height=8, count=1, dtype="uint16",
                       crs="EPSG:32630", transform=from_origin(500000, 4500000, 10, 10)) as raster:
        raster.write(numpy.full((1, 8, 9), value, "uint16"))
with zipfile.ZipFile("two.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.write("b.tif", "2024-06-10/b.tif")
    archive.write("a.tif", "a.tif")
    archive.writestr("__MACOSX/._a.tif", b"x")
with zipfile.ZipFile("bomb.zip", "w") as archive:
    for i in range(1001):
        archive.writestr(f"{i}.txt", b"")
`

/** A model that only takes its scenes in. */
const takesIn = (model: ModelMetadata): ModelMetadata => ({
  ...model,
  pipeline_steps: [{ process_id: 'url-connector', step_number: 0 }],
  model_input_data_spec: [
    { bands: [{ index: 0, band_name: 'B0', RGB_band: null, scaling_factor: 1, offset: 0 }] },
  ],
  inference: null,
})

/** A task of each scene of the zip, as a planner makes them. */
const fannedOut = async (
  zip: Zip,
  files: Directory,
  inferenceId: string,
  more: Partial<StepEnvironment> = {},
) => {
  const env = { dag: dag as Client, assets: assets(), runKey: inferenceId, secrets: {}, ...more }
  const { url, file, allow_private_hosts: allowPrivateHosts = false } = zip
  const model = takesIn(parseModel(readFileSync(`${root}/models/tiny-water.yaml`, 'utf8')))
  const request = inferenceRequest.parse({ spatial_domain: { urls: url ? [url] : [] } })
  const options = { files: file ? [file] : [], inferenceId, allowPrivateHosts }
  const { shared, sources } = sourcesOf(request, model, options)
  const failures: unknown[] = []
  const list = (scene: Scene) =>
    scenesInZip(env, { ...scene, allow_private_hosts: allowPrivateHosts }, files, inferenceId)
  const found = await fanOut(sources, list, (_, error) => failures.push(error))
  const tasks = planTasks(shared, model, found)
  const plan = { inference_id: inferenceId, model: model.display_name, tasks }
  return { ...(await compose(env, plan, files)), failures }
}

const NAMES = ['2024-06-10_b.tif', 'a.tif']

test('a zip of scenes by URL: a task each, one download for all; a file alike; a bomb is named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'geodag-zip-'))
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url!)
    response.end(readFileSync(join(folder, request.url!.slice(1))))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const port = (server.address() as AddressInfo).port
  await session(async () => {
    const made = make(MADE)
    await made.export(folder)
    const services = { files: dag.host().service([{ backend: port, frontend: port }]) }
    const url = `http://files:${port}/two.zip`
    const byUrl = { url, allow_private_hosts: true }
    const { manifest } = await fannedOut(byUrl, dag.directory(), `zip-${port}`, { services })
    expect(manifest.tasks.map((task) => [task.status, task.source])).toEqual([
      ['FINISHED', `${url}!2024-06-10/b.tif`],
      ['FINISHED', `${url}!a.tif`],
    ])
    expect(manifest.tasks.map((t) => t.steps[0]!.artifacts.original_input_image)).toEqual(NAMES)
    expect(asked).toEqual(['/two.zip'])

    const files = dag.directory().withFile('two.zip', made.file('two.zip'))
    const byFile = await fannedOut({ file: 'two.zip' }, files, 'zip-by-file')
    const delivered = byFile.manifest.tasks.map((t) => t.steps[0]!.artifacts.original_input_image)
    expect(delivered).toEqual(NAMES)

    const bomb = { url: `http://files:${port}/bomb.zip`, allow_private_hosts: true }
    const refused = await fannedOut(bomb, dag.directory(), `bomb-${port}`, { services })
    expect(refused.failures).toMatchObject([
      { stderr: expect.stringContaining('source.zip_bomb: ') },
    ])
    expect(refused.manifest.tasks.map((task) => task.steps[0]!.error?.code)).toEqual([
      'source.zip_bomb',
    ])
  })
  server.close()
})

test('by REST a zip of two scenes is two tasks', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'geodag-zip-rest-'))
  await session(async () => void (await make(MADE).export(folder)))
  const service = await startService()
  try {
    const api = await service.launch('start')
    const client = await service.client(api.url, 'zip@example.org')
    const url = await client.share(join(folder, 'two.zip'), 'two.zip')
    const { body } = await client.post('/v2/inference', water(url))
    await client.ended(body.id)
    const { tasks } = (await client.get(`/v2/inference/${body.id}/tasks`)).body
    const ids = tasks.map(({ task_id }: { task_id: string }) => task_id.slice(body.id.length))
    expect(ids.sort()).toEqual(['-task_0', '-task_1', '-task_planning'])
    const { errors } = (await client.get(`/v2/inference/${body.id}`)).body.inference_output
    // Each scene has one band, the model wants 13: each task says so for its own scene.
    expect(errors.map(({ code }: { code: string }) => code)).toEqual(
      Array(2).fill('source.too_few_bands'),
    )
  } finally {
    await service.close()
  }
})
