import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { dag } from '@dagger.io/dagger'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { projection } from '../../pipelines/area/crs.ts'
import { type Client, type Process, type Service, startService } from '../support/api.ts'
import { hostAddress, makeScenes, type RangeServer, serveRanges } from '../support/cogs.ts'
import { assets, root, session } from '../support/engine.ts'
import { startStac, type TestStac } from '../support/stac.ts'
import { stacItem } from '../support/stac-items.ts'

const KEYS = ['blue', 'green', 'red', 'nir', 'swir16', 'swir22', 'scl']
const MODEL = 'ukis-csmask-l2a'

/** The footprint of 512 x 512 pixels of 10 m at an upper left corner of EPSG:32631. */
const squareOf = (x: number): number[][][] => {
  const convert = projection(32631)
  const corners = [
    [x, 5e6],
    [x, 5e6 - 5120],
    [x + 5120, 5e6 - 5120],
    [x + 5120, 5e6],
    [x, 5e6],
  ]
  return [corners.map((corner) => convert.inverse(corner as [number, number]))]
}

let stac: TestStac
let cogs: RangeServer
let service: Service
let client: Client
let api: Process
let catalogues: object[]

const item = (id: string, datetime: string, cloud: number, x: number) => ({
  ...stacItem({
    ...{ id, datetime, cloud, base: cogs.url },
    assets: Object.fromEntries(KEYS.map((key) => [key, { 'raster:bands': [{ nodata: 0 }] }])),
    properties: { 'proj:epsg': 32631, 's2:processing_baseline': '05.10' },
  }),
  geometry: { type: 'Polygon', coordinates: squareOf(x) },
})

beforeAll(async () => {
  const folder = await makeScenes()
  cogs = await serveRanges(folder, await hostAddress())
  stac = await startStac()
  await stac.load(
    ['sentinel-2-l2a'],
    [
      item('A', '2024-06-10T10:50:31.024Z', 5, 500000),
      item('B', '2024-06-10T10:50:45.024Z', 60, 504000),
      item('C', '2024-06-15T10:50:31.024Z', 100, 500000),
    ],
  )
  catalogues = [
    // Under the address that a module's container reaches, too.
    {
      connector: 'sentinel_aws',
      url: stac.url.replace(/localhost|127\.0\.0\.1/, cogs.host),
      hosts: [cogs.host],
      private_hosts: true,
    },
  ]
  service = await startService({ STAC_CATALOGUES: JSON.stringify(catalogues) })
  api = await service.launch('start')
  client = await service.client(api.url, 'place@example.org')
})
afterAll(async () => {
  await service?.close()
  await stac?.stop()
  await cogs?.close()
})

// Well inside the scenes' rows, over both of them.
const G = [3.005, 45.115, 3.11, 45.145]
const OF_A = [3.005, 45.115, 3.04, 45.145]
const asked = (more: object = {}) => ({
  model_display_name: MODEL,
  spatial_domain: { bbox: [OF_A] },
  temporal_domain: ['2024-06-10_2024-06-15'],
  maxcc: 100,
  ...more,
})
const filesOf = async (id: string, task: string): Promise<Record<string, Buffer>> => {
  const { assets } = (await client.get(`/v2/tasks/${id}-${task}/output`)).body
  const found: Record<string, Buffer> = {}
  for (const { title, href } of Object.values<{ title: string; href: string }>(assets))
    found[title] = Buffer.from(await (await fetch(href)).arrayBuffer())
  return found
}
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const digests = async (id: string, task: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(await filesOf(id, task)).map(([title, bytes]) => [title, sha256(bytes)]),
  )

test('a place and a range of days: a task a day, run to its layers, only bytes that it needs', async () => {
  const { body, status } = await client.post('/v2/inference', asked())
  expect(status).toBe(201)
  const { inference } = await client.ended(body.id)
  expect(inference.inference_output?.errors ?? []).toEqual([])
  expect(inference.status).toBe('COMPLETED')
  const { tasks } = (await client.get(`/v2/inference/${body.id}/tasks`)).body
  const work = tasks.filter((task: { task_id: string }) => !task.task_id.endsWith('_planning'))
  expect(work).toHaveLength(2)
  expect(work[0].pipeline_steps.map((step: { process_id: string }) => step.process_id)).toEqual([
    'terrakit-data-fetch',
    'onnx-inference',
    'postprocess-generic',
    'push-to-geoserver',
  ])
  const one = await digests(body.id, 'task_0')
  expect(Object.keys(one)).toEqual(
    expect.arrayContaining(['S2L2A_2024-06-10.tif', 'S2L2A_2024-06-10_imputed.tif', 'preview.png']),
  )
  const read = cogs.asked.filter(({ path }) => path === '/A/blue.tif')
  expect(read.length).toBeGreaterThan(0)
  // Again, as another inference: the same bytes, and nothing is fetched a second time.
  const before = cogs.asked.length
  const again = await client.post('/v2/inference', asked())
  expect((await client.ended(again.body.id)).inference.status).toBe('COMPLETED')
  expect(await digests(again.body.id, 'task_0')).toEqual(one)
  expect(cogs.asked.length).toBe(before)
})

test('the command line plans and runs the same place to the same bytes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'geodag-place-'))
  const file = join(folder, 'catalogues.yaml')
  writeFileSync(file, JSON.stringify(catalogues))
  const call = (name: string, ...more: string[]) =>
    promisify(execFile)(
      'dagger',
      [
        ...['--silent', 'call', name, '--model', MODEL, '--bbox', OF_A.join(',')],
        ...['--datetime', '2024-06-10_2024-06-15', '--maxcc', '40', '--catalogues', file],
        ...more,
      ],
      { cwd: root, maxBuffer: 1e8 },
    )
  const plan = JSON.parse((await call('plan')).stdout)
  expect(plan.tasks.map(({ date }: { date: string }) => date)).toEqual(['2024-06-10'])
  expect(plan.totals).toMatchObject({ tasks: 1, days: 1, cost: 'free' })
  const out = join(folder, 'out')
  await call('run-inference', 'outputs', 'export', '--path', out)
  const { body } = await client.post('/v2/inference', asked({ maxcc: 40 }))
  // The planner's step and the steps of one task: the clouded day is out.
  expect((await client.ended(body.id)).inference.status).toBe('COMPLETED')
  const { tasks } = (await client.get(`/v2/inference/${body.id}/tasks`)).body
  expect(tasks).toHaveLength(2)
  const ours = await digests(body.id, 'task_0')
  expect(Object.keys(ours).length).toBeGreaterThan(5)
  for (const [title, digest] of Object.entries(ours)) {
    expect(sha256(readFileSync(join(out, 'task_0', title))), title).toBe(digest)
  }
  expect(readdirSync(out)).toContain('preview.png')
})

const MASKED = `
import json, rasterio
def at(name):
    with rasterio.open('/files/S2L2A_2024-06-10' + name) as raster:
        return raster.read(1), raster.transform, raster.count, raster.read_masks(1) > 0
found, place, _, _ = at('_pred_masked.tif')
want, _, _, valid = at('_imputed_pred.tif')
row, column = (place.f - 4999000) / 10, (501000 - place.c) / 10
assert row == int(row) and column == int(column) and (place.a, place.e) == (10, -10), place
want = want.astype(int)
want[int(row):int(row) + 40, int(column):int(column) + 60] = 999
want[~valid] = -9999
print(json.dumps({'wrong': int((found != want).sum()), 'cloud': int((found == 999).sum()),
 'scene': at('.tif')[2], 'input': at('_imputed.tif')[2]}))
`

test("a cloud mask by place reads the collection's class band beside the model's own: exact pixels, the same model input", async () => {
  const { body: plain } = await client.post('/v2/inference', asked({ maxcc: 40 }))
  const post_processing = { cloud_masking: 'True', snow_ice_masking: true }
  const { body } = await client.post('/v2/inference', asked({ maxcc: 40, post_processing }))
  const { inference } = await client.ended(body.id)
  expect([inference.status, inference.inference_output?.errors ?? []]).toEqual(['COMPLETED', []])
  await client.ended(plain.id)
  const files = await filesOf(body.id, 'task_0')
  const input = 'S2L2A_2024-06-10_imputed.tif'
  expect(sha256(files[input]!)).toBe((await digests(plain.id, 'task_0'))[input])
  const folder = mkdtempSync(join(tmpdir(), 'geodag-masked-'))
  for (const [title, bytes] of Object.entries(files)) writeFileSync(join(folder, title), bytes)
  const said = await session(() =>
    assets()
      .directory('containers/raster')
      .dockerBuild()
      .withMountedDirectory('/files', dag.host().directory(folder))
      .withExec(['python3', '-c', MASKED])
      .stdout(),
  )
  expect(JSON.parse(said)).toEqual({ wrong: 0, cloud: 40 * 60, scene: 7, input: 6 })

  const { body: output } = await client.get(`/v2/tasks/${body.id}-task_0/output`)
  expect(output.statistics).toContainEqual(
    expect.objectContaining({ value: 999, label: 'Cloud or shadow', pixels: 2400, area_km2: 0.24 }),
  )
  const { tasks } = (await client.get(`/v2/inference/${body.id}/tasks`)).body
  const steps = tasks.flatMap((task: { pipeline_steps: object[] }) => task.pipeline_steps)
  const processed = steps.find((step: any) => step.process_id === 'postprocess-generic')
  expect(processed.statistics).toEqual(output.statistics)
  expect(output.assets.statistics.title).toBe('stats.csv')
  const [names, ...rows] = files['stats.csv']!.toString().trim().split('\n')
  expect(names).toBe('value,label,pixels,share,area_km2')
  expect(rows).toEqual(
    output.statistics.map((row: Record<string, unknown>) => Object.values(row).join()),
  )
})

test('a dry run is the plan: tasks, items, bytes, cost; nothing is written', async () => {
  const { body, status } = await client.post(
    '/v2/inference/dry-run',
    asked({ spatial_domain: { bbox: [G] }, temporal_domain: ['2024-06-10'] }),
  )
  expect(status, api.output.slice(-2000)).toBe(201)
  expect(body.plan).toMatchObject({ error: null, missing: [], totals: { tasks: 1, items: 2 } })
  expect(body.plan.tasks[0].items.map(({ id }: { id: string }) => id)).toEqual(['A', 'B'])
  expect(body.plan.totals.bytes_read).toBeGreaterThan(0)
  expect((await client.get(`/v2/inference/${body.inference_id}`)).status).toBe(404)
})

test('a place without data is said with its reason and the nearest days; the others go on', async () => {
  const { body } = await client.post(
    '/v2/inference',
    asked({ spatial_domain: { bbox: [[20, 50, 20.05, 50.05], OF_A] }, maxcc: 40 }),
  )
  const { inference } = await client.ended(body.id)
  expect(inference.status).toBe('COMPLETED')
  expect(inference.inference_output.errors).toMatchObject([
    { code: 'plan.no_data', error_code: 1001, message: expect.stringContaining('bbox.0') },
  ])
  const none = await client.post('/v2/inference', asked({ temporal_domain: ['2024-06-12'] }))
  const failed = (await client.ended(none.body.id)).inference
  expect(failed.status).toBe('FAILED')
  expect(failed.inference_output.errors[0]).toMatchObject({
    code: 'plan.no_data',
    message: expect.stringContaining('nearest days with data: 2024-06-10, 2024-06-15'),
  })
})
