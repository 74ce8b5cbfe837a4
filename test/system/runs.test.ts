import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Client,
  type Process,
  type Service,
  sleep,
  sleepers,
  slow,
  water,
} from '../support/api.ts'
import { root } from '../support/engine.ts'
import type { Geoserver } from '../support/geoserver/server.ts'
import { type Publishing, startPublishing } from '../support/geoserver/service.ts'
import { LAKE } from '../support/scenes.ts'

let publishing: Publishing
let service: Service
let geoserver: Geoserver
let api: Process
let client: Client
let scene: string

beforeAll(async () => {
  publishing = await startPublishing({ RUNNER_CONCURRENCY: '4' })
  ;({ service, geoserver } = publishing)
  api = await service.launch('api')
  client = await service.client(api.url, 'runs@example.org')
  scene = await client.share(LAKE, 'lake.tif')
})
afterAll(() => publishing?.close())

const runner = () => service.launch('runner', { PUBLIC_URL: api.url })
const submit = async (more: object = {}): Promise<string> => {
  const { status, body } = await client.post('/v2/inference', water(scene, more))
  expect(status, JSON.stringify(body)).toBe(201)
  return body.id
}
test('a run to its end: layers on the map, nothing lost in the counts', async () => {
  const one = await runner()
  const id = await submit()
  const { inference, seen } = await client.ended(id)
  expect(seen.filter((status) => status !== 'PENDING')).toEqual(['RUNNING', 'COMPLETED'])
  expect(inference).toMatchObject({
    tasks_count_total: 5,
    tasks_count_success: 5,
    tasks_count_waiting: 0,
  })
  const layers = inference.geoserver_layers.predicted_layers
  expect(layers.map((layer: any) => layer.uri)).toEqual([
    `geofm:${id}-input_rgb`,
    `geofm:${id}-pred`,
  ])
  expect(layers[1].sld_body).toContain('<ColorMapEntry color="#4589FF"')
  // The scene's box and, last, the box around all.
  const boxes: number[][] = inference.geoserver_layers.bbox_pred
  expect(boxes.map((box) => box.map((degrees) => degrees.toFixed(3)).join())).toEqual(
    Array(2).fill('-1.848,38.820,-1.818,38.843'),
  )
  const { body } = await client.get(`/v2/tasks/${id}-task_0/output`)
  const picture = await (await fetch(body.assets.preview.href)).arrayBuffer()
  expect(Buffer.from(picture).subarray(1, 4).toString()).toBe('PNG')
  expect(body.assets.model_output_image.title).toMatch(/_pred\.tif$/)
  expect(geoserver.granules(`geofm:${id}-pred`)).toHaveLength(1)
  expect((await client.call('DELETE', `/v2/inference/${id}`)).status).toBe(204)
  expect((await fetch(body.output_url)).status).toBe(404)
  // The layers go with it, beside the answer.
  const left = () =>
    Object.values(geoserver.state.workspaces.get('geofm')!).flatMap((held) =>
      held instanceof Map ? [...held.keys()].filter((name) => name.startsWith(id)) : [],
    )
  await expect.poll(left).toEqual([])
  expect([...geoserver.state.files.keys()].filter((name) => name.includes(id))).toEqual([])
  expect(await one.end('SIGTERM')).toBe(0)
})

test('SIGKILL of the runner in each step: another goes on, finished steps are not run again', async () => {
  const { body: processor } = await client.processor(slow(2))
  const names = [
    'url-connector',
    'onnx-inference',
    'generic-python-processor',
    'postprocess-generic',
    'push-to-geoserver',
  ]
  for (const [n, name] of names.entries()) {
    const victim = await runner()
    const fresh = await client.share(LAKE, `lake${String.fromCharCode(97 + n)}.tif`)
    const id = (
      await client.post('/v2/inference', water(fresh, { generic_processor_id: processor.id }))
    ).body.id
    const work = async () =>
      (await client.tasks(id)).find((task) => !task.task_id.endsWith('planning'))
    while (!/RUNNING|FINISHED/.test((await work())?.pipeline_steps?.[n]?.status)) await sleep(5)
    await victim.end('SIGKILL')
    const before = (await work()).pipeline_steps.filter((step: any) => step.status === 'FINISHED')
    const heir = await runner()
    const { inference } = await client.ended(id)
    expect(inference.status, name).toBe('COMPLETED')
    const after = (await work()).pipeline_steps
    // The same start and end: what was finished is as it was.
    for (const step of before) expect(after[step.step_number], name).toEqual(step)
    const stores = geoserver.requests.filter(
      (line) => line.startsWith('PUT') && line.includes(`${id}-pred/file`),
    )
    expect(stores.length, name).toBe(1)
    await heir.end('SIGTERM')
  }
})

test('a model registered by its metadata; its log is readable while it runs, and whole afterwards', async () => {
  const one = await runner()
  const [shipped] = (await client.get('/v2/models?internal_name=tiny-water')).body.results
  // Windows that overlap nearly wholly: the same model, made slow; its mean of its own keeps the
  // engine from answering out of an earlier run's cache.
  const mean = shipped.inference.mean.map((value: number) => value + Math.random() * 1e-6)
  const inference = { ...shipped.inference, mean, overlap: 58 }
  const made = await client.post('/v2/models', {
    ...shipped,
    display_name: 'slow-water',
    inference,
  })
  expect(made.status).toBe(201)
  const id = await submit({ model_display_name: 'slow-water' })
  const log = `/v2/tasks/${id}-task_0/logs/onnx-inference`
  let live = ''
  for (let tries = 0; tries < 12_000 && !live.includes('window'); tries++) {
    const { status, body } = await client.get(log)
    if (status === 200 && body.status === 'RUNNING') {
      expect(body.warning).toContain('incomplete')
      live = await (await fetch(body.step_log_url)).text()
    }
    await sleep(50)
  }
  expect(live).toMatch(/window \d+ of \d+/)
  expect(live).not.toContain('prediction')
  const { body } = await client.get(log)
  const followed = await (await fetch(`${body.step_log_url}&follow=true`)).text()
  expect(followed.split('\n').length).toBeGreaterThan(live.split('\n').length)
  expect((await client.ended(id)).inference.status).toBe('COMPLETED')
  const ended = await client.get(`${log}?tail_lines=2`)
  const text = await (await fetch(ended.body.step_log_url)).text()
  expect(text).toMatch(/^prediction .*\nReturn code: 0\n$/)
  await one.end('SIGTERM')
})

test("a user's own weights: shared, registered by their hash, run after the share has ended", async () => {
  const one = await runner()
  const [shipped] = (await client.get('/v2/models?internal_name=tiny-water')).body.results
  const onnx = join(root, 'models/tiny-water/tiny_water.onnx')
  const url = await client.share(onnx, 'weights.onnx')
  const sha256 = createHash('sha256').update(readFileSync(onnx)).digest('hex')
  const register = (weights: object) =>
    client.post('/v2/models', {
      ...shipped,
      display_name: 'own-water',
      inference: { ...shipped.inference, weights },
    })
  const wrong = await register({ url, sha256: '0'.repeat(64) })
  expect([wrong.status, wrong.body.detail[0].loc]).toEqual([
    422,
    ['body', 'inference', 'weights', 'sha256'],
  ])
  expect(wrong.body.detail[0].msg).toContain(sha256)
  const gone = await register({ url: url.replace('weights.onnx', 'nothing.onnx'), sha256 })
  expect(gone.body.detail[0].loc).toEqual(['body', 'inference', 'weights', 'url'])
  const made = await register({ url, sha256 })
  expect([made.status, made.body.inference.weights.url]).toEqual([201, url.split('?')[0]])
  // What a day later would do: the share is gone, the model is not.
  rmSync(join(service.settings.DATA_FOLDER, 'objects/temporary-uploads'), { recursive: true })
  scene = await client.share(LAKE, 'lake.tif')
  const id = await submit({ model_display_name: 'own-water' })
  const { inference } = await client.ended(id)
  expect([inference.status, inference.inference_output]).toEqual(['COMPLETED', null])
  await one.end('SIGTERM')
})

test("a user's script is heard while it runs in its sandbox", async () => {
  const one = await runner()
  const { body: processor } = await client.processor(slow(10))
  const id = await submit({ generic_processor_id: processor.id })
  const log = `/v2/tasks/${id}-task_0/logs/generic-python-processor`
  let live = ''
  for (let tries = 0; tries < 6000 && !live.includes('tick 3'); tries++) {
    const { status, body } = await client.get(log)
    if (status === 200 && body.status !== 'RUNNING') expect(body.status).toBe('READY')
    if (status === 200) live = await (await fetch(body.step_log_url)).text()
    await sleep(100)
  }
  expect(live).toContain('tick 3')
  expect(live).not.toContain('tick 19')
  expect((await client.ended(id)).inference.status).toBe('COMPLETED')
  const whole = await (await fetch((await client.get(log)).body.step_log_url)).text()
  expect(whole).toMatch(
    /^-+INVOKING TASK-+\nTask ID: .*\nCommand: [^]*tick 19\nthe script left no raster .*\nReturn code: 0\n$/,
  )
  await one.end('SIGTERM')
})

test('cancel ends the container; the inference is STOPPED and stays so', async () => {
  const one = await runner()
  const { body: processor } = await client.processor(slow(120), 'cancelled_sleeper.py')
  const id = await submit({ generic_processor_id: processor.id })
  const logged = async (): Promise<string> => {
    const { body } = await client.get(`/v2/tasks/${id}-task_0/logs/generic-python-processor`)
    return body.step_log_url ? (await fetch(body.step_log_url)).text() : ''
  }
  await expect.poll(logged, { timeout: 600_000 }).toContain('tick 1')
  expect(sleepers('cancelled_sleeper.py')).not.toEqual([])
  const asked = performance.now()
  const { status, body } = await client.post(`/v2/inference/${id}/cancel`)
  expect([status, body.msg]).toEqual([
    202,
    'Cancel inference request accepted.Inference tasks will be terminated gracefully.',
  ])
  await expect.poll(() => sleepers('cancelled_sleeper.py'), { interval: 20 }).toEqual([])
  console.log(
    `geodag: cancel: the container was gone after ${Math.round(performance.now() - asked)} ms`,
  )
  await client.until(id, ({ status }) => status === 'STOPPED')
  await sleep(1500)
  const { body: inference } = await client.get(`/v2/inference/${id}`)
  expect(inference.status).toBe('STOPPED')
  expect(inference.tasks_count_stopped).toBe(3)
  const heard = await logged()
  expect(heard).toContain('tick 1')
  expect(heard).not.toContain('engine')
  const again = await client.post(`/v2/inference/${id}/cancel`)
  expect(again.body.msg).toBe('Inference in STOPPED end state cannot be stopped.')
  await one.end('SIGTERM')
})

test('a failure is told: on the inference, the step, its log and its event', async () => {
  const one = await runner()
  const { body: processor } = await client.processor(
    'import socket\nif __name__ == "__main__":\n    socket.socket()\n',
  )
  const id = await submit({ generic_processor_id: processor.id })
  const { inference } = await client.ended(id)
  expect(inference.status).toBe('FAILED')
  const [error] = inference.inference_output.errors
  expect(error).toMatchObject({ code: 'processor.network', task_id: `${id}-task_0` })
  expect(inference).toMatchObject({
    tasks_count_failed: 1,
    tasks_count_stopped: 2,
    tasks_count_waiting: 0,
  })
  const { body } = await client.get(`/v2/tasks/${id}-task_0/logs/generic-python-processor`)
  expect(await (await fetch(body.step_log_url)).text()).toContain('processor.network')
  const events = (await client.get(`/v2/notifications/${id}?limit=100`)).body.results
  expect(events.map((event: any) => event.detail_type)).toContain('Inf:Task:Failed')
  const nowhere = await submit({ spatial_domain: { bbox: [[1, 1, 1.1, 1.1]] } })
  const planned = (await client.ended(nowhere)).inference
  expect(planned.status).toBe('FAILED')
  expect(planned.inference_output.errors[0]).toMatchObject({
    code: 'connector.missing_credentials',
    message: expect.stringContaining('SH_CLIENT_ID'),
  })
  await one.end('SIGTERM')
})

test('without an engine a task waits and says so; with one it runs, no try counted', async () => {
  const lost = await service.launch('runner', {
    PUBLIC_URL: api.url,
    ENGINE_TIMEOUT_SECONDS: '2',
    _EXPERIMENTAL_DAGGER_RUNNER_HOST: 'unix:///tmp/geodag-no-engine.sock',
  })
  const id = await submit()
  const task = async () => (await client.tasks(id))[0]
  await client.until(id, () => /no Dagger engine answers in 2 s/.test(lost.output))
  await expect
    .poll(async () => (await task()).pipeline_steps[0])
    .toMatchObject({ status: 'READY', message: 'waiting: no Dagger engine answers in 2 s' })
  expect((await client.get(`/v2/inference/${id}`)).body.inference_output).toBeNull()
  expect(await lost.end('SIGTERM')).toBe(0)
  const found = await runner()
  expect((await client.ended(id)).inference.status).toBe('COMPLETED')
  expect((await task()).pipeline_steps[0].message).toBeUndefined()
  const { attempt } = await service.db
    .selectFrom('inf_task')
    .select('attempt')
    .where('task_id', '=', `${id}-task_0`)
    .executeTakeFirstOrThrow()
  expect(attempt).toBe(1)
  await found.end('SIGTERM')
})

test('a session that dies ends neither the runner nor its task', async () => {
  const one = await runner()
  const { body: processor } = await client.processor(slow(4), 'bereft_sleeper.py')
  const id = await submit({ generic_processor_id: processor.id })
  await client.until(id, () => sleepers('bereft_sleeper.py').length > 0)
  const sessions = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(one.child.pid)])
    .toString()
    .split('\n')
    .filter((line) => line.includes('dagger session'))
  expect(sessions).toHaveLength(1)
  process.kill(Number.parseInt(sessions[0]!), 'SIGKILL')
  const { inference } = await client.ended(id)
  one.alive()
  expect([inference.status, inference.inference_output]).toEqual(['COMPLETED', null])
  const told = (await client.get(`/v2/notifications/${id}?limit=100`)).body.results
  expect(JSON.stringify(told)).toContain('trying again in 0.2 s (no try of the step is counted)')
  await one.end('SIGTERM')
})

test('a step that takes too long is stopped by name, its container with it', async () => {
  const one = await service.launch('runner', { PUBLIC_URL: api.url, STEP_TIMEOUT_SECONDS: '4' })
  const { body: processor } = await client.processor(slow(120), 'late_sleeper.py')
  const id = await submit({ generic_processor_id: processor.id })
  const { inference } = await client.ended(id)
  expect(inference.status).toBe('FAILED')
  expect(inference.inference_output.errors).toMatchObject([
    { code: 'step.timeout', step: 'generic-python-processor' },
  ])
  await expect.poll(() => sleepers('late_sleeper.py')).toEqual([])
  await one.end('SIGTERM')
})

test('50 tasks, and Postgres restarted under them: all listed, counts add up at every look', async () => {
  const one = await runner()
  const urls = await Promise.all(
    Array.from({ length: 50 }, (_, n) => (n % 2 ? scene : `${scene}&n=${n}`)),
  )
  const id = await submit({
    spatial_domain: { urls },
    pipeline_steps: [
      { process_id: 'url-connector', step_number: 0 },
      { process_id: 'postprocess-generic', step_number: 1 },
    ].slice(0, 1),
  })
  let restarted = false
  const { inference } = await client.until(id, (now) => {
    one.alive()
    const { tasks_count_total: total, tasks_count_success: done, tasks_count_failed: bad } = now
    const { tasks_count_stopped: stopped, tasks_count_waiting: waiting } = now
    expect(done + bad + stopped + waiting).toBeLessThanOrEqual(total)
    if (/COMPLETED|FAILED/.test(now.status)) expect(done + bad + stopped).toBe(total)
    if (!restarted && done > 5 && service.postgres.restart) {
      restarted = true
      void service.postgres.restart()
    }
    return /COMPLETED|FAILED|STOPPED/.test(now.status)
  })
  expect(restarted || !service.postgres.restart).toBe(true)
  expect(inference).toMatchObject({
    status: 'COMPLETED',
    tasks_count_total: 51,
    tasks_count_success: 51,
  })
  const tasks = await client.tasks(id)
  expect(tasks).toHaveLength(51)
  expect(tasks.every((task) => task.status === 'FINISHED')).toBe(true)
  const ends = (await client.get(`/v2/notifications/${id}?limit=1000`)).body.results
  expect(ends.length).toBeGreaterThan(100)
  one.alive()
  await one.end('SIGTERM')
})

test('events by SSE resume after Last-Event-ID', async () => {
  const one = await runner()
  const id = await submit()
  const listen = async (last: string) => {
    const answer = await fetch(`${api.url}/v2/async/notify/${id}`, {
      headers: { 'X-API-Key': client.key, 'Last-Event-ID': last },
    })
    expect(answer.headers.get('content-type')).toContain('text/event-stream')
    const text = await answer.text()
    return [...text.matchAll(/data: (.*)\nid: (\d+)/g)].map(([, data, seq]) => ({
      ...JSON.parse(data!),
      seq,
    }))
  }
  const all = await listen('0')
  expect(all.at(-1)).toMatchObject({ detail_type: 'Inf:Task:Updated', status: 'COMPLETED' })
  expect(all.map((event) => event.data.message)).toContain('Inferencing ..')
  const middle = Math.floor(all.length / 2)
  const rest = await listen(all[middle].seq)
  expect(rest.map((event) => event.seq)).toEqual(all.slice(middle + 1).map((event) => event.seq))
  await one.end('SIGTERM')
})
