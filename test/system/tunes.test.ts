import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { modelOfConfig } from '../../pipelines/model.ts'
import { type Client, type Service, sleep, startService } from '../support/api.ts'
import { root } from '../support/engine.ts'
import { lakeScene } from '../support/geotiff.ts'
import { pythonClients } from '../support/python.ts'

const folder = mkdtempSync(join(tmpdir(), 'geodag-tunes-'))
const config = join(root, 'models/tiny-water/config_deploy.yaml')
const checkpoint = join(root, 'models/tiny-water/tiny_water.ckpt')
const scene = join(folder, 'lake.tif')
const text = join(folder, 'text.ckpt')
const { model_input_data_spec, geoserver_push } = modelOfConfig(readFileSync(config, 'utf8'))
let service: Service
let anna: Client
let bob: Client
let base: string

beforeAll(async () => {
  writeFileSync(scene, lakeScene(3))
  writeFileSync(text, 'no checkpoint')
  service = await startService()
  base = (await service.launch('start')).url
  anna = await service.client(base, 'anna@example.org')
  bob = await service.client(base, 'bob@example.org')
})
afterAll(() => service.close())

const upload = async (checkpointUrl: string, configUrl?: string) => {
  const { status, body } = await anna.post('/v2/upload-completed-tunes', {
    name: 'mine',
    description: 'a tune',
    tune_config_url: configUrl ?? (await anna.share(config, 'config.yaml')),
    tune_checkpoint_url: checkpointUrl,
    model_input_data_spec,
    geoserver_push,
  })
  expect([status, body]).toEqual([201, { message: 'Upload started', tune_id: expect.anything() }])
  return body.tune_id as string
}
const exported = async (id: string) => {
  for (let n = 0; n < 3000; n++) {
    const { body } = await anna.get(`/v2/tunes/${id}`)
    if (/Finished|Failed/.test(body.status)) return body
    await sleep(200)
  }
  throw new Error('the export did not end')
}

/** The step of a run's one scene that runs the model. */
const modelStep = async (client: Client, id: string) =>
  (await client.tasks(id))
    .find((task) => !task.task_id.endsWith('planning'))
    .pipeline_steps.find((one: any) => /inference/.test(one.process_id))

test('geostudio 0.1.5, unmodified: upload a tune, try it out, run it, download and delete it', async () => {
  const bin = await pythonClients()
  const options = join(folder, 'options.json')
  writeFileSync(options, JSON.stringify({ model_input_data_spec, geoserver_push }))
  const args = [join(root, 'test/python/tune.py'), base, anna.key, scene, config, checkpoint]
  const { stdout } = await promisify(execFile)(join(bin, 'python'), [...args, options], {
    env: { ...process.env, HOME: folder },
    cwd: folder,
    maxBuffer: 1e8,
  })
  const said = JSON.parse(stdout.trim().split('\n').at(-1)!)
  expect(said.started.tune_id).toMatch(/^geotune-[a-z0-9]{22}$/)
  expect(said.tune).toMatchObject({ status: 'Finished', name: 'tiny-water-mine', metrics: [] })
  expect([said.polled, said.listed, said.table]).toEqual(['Finished', true, true])
  expect(said.changed).toMatchObject({ message: 'Tune successfully updated.', name: 'renamed' })
  // What a change does not name stays.
  expect(Object.keys(said.after.train_options).sort()).toEqual([
    ...['geoserver_push', 'inferencing', 'model_input_data_spec'],
  ])
  expect(said.ends.map(([, status]: string[]) => status)).toEqual(Array(3).fill('COMPLETED'))
  expect(said.deployed).toMatchObject({ status: 'DEPLOY_REQUESTED' })
  expect(said.checkpoint_bytes).toBe(statSync(checkpoint).size)
  expect(said.config).toBe(readFileSync(config, 'utf8'))
  expect(said.log).toContain('differs from torch by at most')
  expect(said.gone.detail).toBe('Tune not found')
  const { metrics, frame, mlflow, ...training } = said.training
  expect([metrics.runs, frame, mlflow]).toEqual([[], 0, null])
  for (const [method, answer] of Object.entries(training))
    expect(answer, method).toEqual({ detail: 'Not Found' })
  for (const [id] of said.ends.slice(1)) {
    const step = await modelStep(anna, id)
    expect(step).toMatchObject({ process_id: 'terratorch-inference', status: 'FINISHED' })
  }
  // The tune is gone, the model that was deployed from it runs on: its files are kept.
  expect(said.model).toMatchObject({ status: 'COMPLETED' })
  const again = await anna.post('/v2/inference', {
    ...{ model_id: said.model.id, temporal_domain: ['2024-06-02'], location: 'Lake' },
    spatial_domain: { urls: [await anna.share(scene, 'again.tif')] },
  })
  expect((await anna.ended(again.body.id)).inference.status).toBe('COMPLETED')
})

test('a model that cannot run is told at once, by name and with a log, and is not run', async () => {
  const id = await upload(await anna.share(text, 'text.ckpt'))
  const request = {
    model_display_name: 'geofm-sandbox-models',
    fine_tuning_id: id,
    spatial_domain: { urls: [await anna.share(scene, 'lake.tif')] },
    temporal_domain: ['2024-06-01'],
    location: 'Lake',
  }
  const early = await anna.post('/v2/inference', request)
  expect([early.status, JSON.stringify(early.body)]).toEqual([
    422,
    expect.stringMatching(/Tune in state: (Pending|In_progress|Failed)/),
  ])
  const ended = await exported(id)
  expect(ended).toMatchObject({ status: 'Failed', error: { code: 'model.bad_checkpoint' } })
  expect(await (await fetch(ended.logs_presigned_url)).text()).toContain('model.bad_checkpoint')
  expect((await anna.post(`/v2/tunes/${id}/try-out`, request)).status).toBe(422)
  expect((await bob.get(`/v2/tunes/${id}`)).status).toBe(404)
  expect((await bob.call('DELETE', `/v2/tunes/${id}`)).status).toBe(404)
  expect((await anna.call('DELETE', `/v2/tunes/${id}`)).status).toBe(204)
})

test('addresses are those of files: no other scheme, no private host, no ended URL', async () => {
  const body = { name: 'x', description: '', tune_checkpoint_url: 'https://example.org/a.ckpt' }
  for (const tune_config_url of ['file:///etc/passwd', 'ftp://example.org/a', 'nothing']) {
    const refused = await anna.post('/v2/upload-completed-tunes', { ...body, tune_config_url })
    expect([refused.status, refused.body.detail[0].loc]).toEqual([422, ['body', 'tune_config_url']])
  }
  const ended = await exported(await upload('http://127.0.0.1:9/a.ckpt'))
  expect(ended).toMatchObject({ status: 'Failed', error: { code: 'model.refused' } })
})

test('a model is deployed by the same export, and shared options make it run', async () => {
  const made = await anna.post('/v2/models', {
    display_name: 'my-water',
    pipeline_steps: [
      { process_id: 'url-connector', step_number: 0 },
      { process_id: 'run-inference', step_number: 1 },
    ],
    model_input_data_spec,
    geoserver_push,
  })
  const deployed = await anna.post(`/v2/models/${made.body.id}/deploy`, {
    model_configs_url: await anna.share(config, 'config.yaml'),
    model_checkpoint_url: await anna.share(checkpoint, 'best.ckpt'),
  })
  expect(deployed.body).toMatchObject({ status: 'DEPLOY_REQUESTED' })
  let model: any
  for (let n = 0; n < 3000 && !/COMPLETED|FAILED/.test(model?.status); n++) {
    model = (await anna.get(`/v2/models/${made.body.id}`)).body
    await sleep(200)
  }
  expect(model.status).toBe('COMPLETED')
  expect(model.inference.checkpoint).toMatchObject({
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  })
  expect(JSON.stringify(model.inference)).not.toContain('?')
  const { body } = await anna.post('/v2/inference', {
    model_id: made.body.id,
    spatial_domain: { urls: [await anna.share(scene, 'lake.tif')] },
    temporal_domain: ['2024-06-01'],
    location: 'Lake',
  })
  expect((await anna.ended(body.id)).inference.status).toBe('COMPLETED')
})
