import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { dag } from '@dagger.io/dagger'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { modelOfConfig } from '../../pipelines/model.ts'
import { type Client, type Service, sleep, startService } from '../support/api.ts'
import { root, session } from '../support/engine.ts'
import { lakeScene } from '../support/geotiff.ts'
import { pythonClients } from '../support/python.ts'
import { compare, madeOf } from '../support/terratorch.ts'

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
  // New at each run of the tests, so that the engine knows no answer to it.
  writeFileSync(text, `no checkpoint ${crypto.randomUUID()}`)
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

const deployed = async (id: string) => {
  for (let n = 0; n < 3000; n++) {
    const { body } = await anna.get(`/v2/models/${id}`)
    if (/COMPLETED|FAILED/.test(body.status)) return body
    await sleep(200)
  }
  throw new Error('the deployment did not end')
}
const NO_URLS = { model_configs_url: null, model_checkpoint_url: null }

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

/** A log as it comes: the text until `sign` is in it, and all of it. */
const followed = async (url: string, sign: string) => {
  const reader = (await fetch(`${url}&follow=true`)).body!.pipeThrough(new TextDecoderStream())
  let [until, whole] = ['', '']
  for await (const text of reader) {
    whole += text
    if (!until && whole.includes(sign)) until = whole
  }
  return { until, whole }
}

test('a model that cannot run is told at once, by name and with a log that is read while it runs, and is not run', async () => {
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
  const { logs_presigned_url } = (await anna.get(`/v2/tunes/${id}`)).body
  const log = await followed(logs_presigned_url, 'Building the network of the config.')
  // The program's own line, before its end.
  expect(log.until).toMatch(/checkpoint: \d+ bytes/)
  expect(log.until).not.toContain('model.bad_checkpoint')
  const ended = await exported(id)
  expect(ended).toMatchObject({ status: 'Failed', error: { code: 'model.bad_checkpoint' } })
  expect(await (await fetch(ended.logs_presigned_url)).text()).toContain('model.bad_checkpoint')
  const forged = logs_presigned_url.replace(/signature=../, 'signature=zz')
  expect((await fetch(forged)).status).toBe(403)
  expect((await anna.post(`/v2/tunes/${id}/try-out`, request)).status).toBe(422)
  expect((await bob.get(`/v2/tunes/${id}`)).status).toBe(404)
  expect((await bob.call('DELETE', `/v2/tunes/${id}`)).status).toBe(404)

  const { body: model } = await anna.post('/v2/models', { display_name: 'cannot' })
  const deploy = (body: object) => anna.post(`/v2/models/${model.id}/deploy`, body)
  const told = async (body: object) => {
    const { status, body: answer } = await deploy(body)
    return [status, answer.detail[0].loc.at(-1), answer.detail[0].msg]
  }
  expect(await told({ fine_tuned_model_id: id })).toEqual([
    ...[422, 'fine_tuned_model_id', expect.stringContaining('model.bad_checkpoint')],
  ])
  expect(await told({ fine_tuned_model_id: 'geotune-none' })).toEqual([
    ...[422, 'fine_tuned_model_id', expect.stringContaining('GET /v2/tunes')],
  ])
  expect(
    await told({ fine_tuned_model_id: id, model_configs_url: 'https://x.example.org/a' }),
  ).toEqual([422, 'body', expect.stringContaining('Both model_checkpoint_url')])
  expect((await anna.call('DELETE', `/v2/tunes/${id}`)).status).toBe(204)

  await deploy({
    model_configs_url: await anna.share(config, 'config.yaml'),
    model_checkpoint_url: await anna.share(text, 'text.ckpt'),
  })
  const failed = await deployed(model.id)
  expect(failed).toMatchObject({ status: 'DEPLOY_FAILED', error: { code: 'model.bad_checkpoint' } })
  expect(await (await fetch(failed.logs_presigned_url)).text()).toContain('model.bad_checkpoint')
  // What has failed may be tried again, by a tune as well.
  const { status, body } = await deploy({ fine_tuned_model_id: 'geotune-tiny-water', ...NO_URLS })
  expect([status, body.status]).toEqual([200, 'DEPLOY_REQUESTED'])
  expect((await anna.get(`/v2/models/${model.id}`)).body).toMatchObject({ status: 'COMPLETED' })
})

test('tunes and models in one list, newest first, each for those who may run it', async () => {
  const row = { train_options: '{}', inference: null, created_by: 'anna@example.org' }
  const tune = { ...row, id: 'geotune-listed', name: 'Listed one', status: 'Pending' }
  await service.db.insertInto('tune').values(tune).execute()
  const { body: model } = await anna.post('/v2/models', { display_name: 'listed-two' })
  const list = async (query: string, client = anna) =>
    (await client.get(`/v2/tunes-and-models?${query}`)).body
  const mine = await list('name=LISTED')
  expect(mine).toMatchObject({ total_records: 2, page_count: 2 })
  expect(mine.results).toEqual([
    {
      ...{ id: model.internal_name, model_id: model.id, name: 'listed-two', status: 'PENDING' },
      ...{ shared: false, description: '', model_type: 'Model', active_: true },
      ...{ created_by_: 'anna@example.org', created_at_: model.created_at },
      updated_at_: model.updated_at,
    },
    expect.objectContaining({ id: tune.id, model_id: null, model_type: 'Tune', status: 'Pending' }),
  ])
  const names = async (query: string) => (await list(query)).results.map(({ name }: any) => name)
  expect(await names('name=listed&type=Tune')).toEqual(['Listed one'])
  expect(await names('name=listed&type=Model')).toEqual(['listed-two'])
  expect(await names('name=listed&status=Pending&status=Failed')).toEqual(['Listed one'])
  expect(await names('name=listed&limit=1&skip=1')).toEqual(['Listed one'])
  expect(await names('name=listed&shared=true')).toEqual([])
  expect(await names('shared=true')).toEqual(
    expect.arrayContaining(['tiny-water', 'geofm-sandbox-models']),
  )
  expect((await list('name=listed', bob)).results).toEqual([])
  expect((await anna.get('/v2/tunes-and-models?type=Other')).status).toBe(422)
  const tunes = (await anna.get('/v2/tunes?name=listed&shared=false')).body
  expect(tunes.results.map(({ id }: any) => id)).toEqual([tune.id])
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
  const asked = await anna.post(`/v2/models/${made.body.id}/deploy`, {
    model_configs_url: await anna.share(config, 'config.yaml'),
    model_checkpoint_url: await anna.share(checkpoint, 'best.ckpt'),
  })
  expect(asked.body).toMatchObject({ status: 'DEPLOY_REQUESTED' })
  const model = await deployed(made.body.id)
  expect(model.status).toBe('COMPLETED')
  const kept = async () =>
    service.db
      .selectFrom('inf_model')
      .select('stored_bytes')
      .where('id', '=', made.body.id)
      .executeTakeFirstOrThrow()
  const bytes = statSync(config).size + statSync(checkpoint).size
  expect(Number((await kept()).stored_bytes)).toBe(bytes)
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

test('a tune of two modalities by HTTP gives the mask of terratorch predict', () =>
  session(async () => {
    const made = madeOf('modalities')
    const place = join(folder, 'modalities')
    await made.export(place)
    const text = readFileSync(join(place, 'config.yaml'), 'utf8')
    const share = (name: string) => anna.share(join(place, name), name)
    const { body } = await anna.post('/v2/upload-completed-tunes', {
      ...{ name: 'two', description: 'optical and radar' },
      tune_config_url: await share('config.yaml'),
      tune_checkpoint_url: await share('checkpoint.ckpt'),
      model_input_data_spec: modelOfConfig(text).model_input_data_spec,
      geoserver_push: modelOfConfig(text).geoserver_push,
    })
    expect(await exported(body.tune_id)).toMatchObject({ status: 'Finished' })
    const where = { temporal_domain: ['2024-06-01'], location: 'Lake' }
    const both = { S1GRD: await share('S1GRD.tif'), S2L2A: await share('S2L2A.tif') }
    const tried = await anna.post(`/v2/tunes/${body.tune_id}/try-out`, {
      ...where,
      spatial_domain: { urls: [both] },
    })
    expect((await anna.ended(tried.body.id)).inference.status).toBe('COMPLETED')
    const { assets } = (await anna.get(`/v2/tasks/${tried.body.id}-task_0/output`)).body
    const ours = join(folder, 'ours.tif')
    const mask = await fetch(assets.model_output_image.href)
    writeFileSync(ours, Buffer.from(await mask.arrayBuffer()))
    const compared = await compare(dag.host().file(ours), made.file('predicted.tif'))
    expect(compared).toMatchObject({ same_size: true, differ: 0, values: 2 })
    expect(compared.rarest).toBeGreaterThan(0.005)
    // One of the two is named, with what to give.
    const { S2L2A } = both
    const half = await anna.post(`/v2/tunes/${body.tune_id}/try-out`, {
      ...where,
      spatial_domain: { urls: [{ S2L2A }] },
    })
    const { inference } = await anna.ended(half.body.id)
    expect(inference.status).toBe('FAILED')
  }))
