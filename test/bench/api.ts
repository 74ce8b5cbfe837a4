import { costOfLimit } from './limit.ts'
import { underAttack } from './worst.ts'
import {
  type Client,
  type Service,
  sleep,
  sleepers,
  slow,
  startService,
  water,
} from '../support/api.ts'
import { LAKE } from '../support/scenes.ts'

const percentile = (sorted: number[], p: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))]!

/** Asks `count` times, 16 at a time; prints the rate and the percentiles in milliseconds. */
const load = async (name: string, count: number, ask: () => Promise<{ status: number }>) => {
  const times: number[] = []
  let left = count
  let wrong = 0
  const began = performance.now()
  const worker = async () => {
    while (left-- > 0) {
      const start = performance.now()
      if ((await ask()).status >= 300) wrong++
      times.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: 16 }, worker))
  const seconds = (performance.now() - began) / 1000
  times.sort((a, b) => a - b)
  const [p50, p99] = [percentile(times, 50), percentile(times, 99)]
  console.log(
    `${name.padEnd(14)}${(count / seconds).toFixed(0).padStart(6)} requests/s   p50 ${p50.toFixed(1)} ms   p99 ${p99.toFixed(1)} ms${wrong ? `   ${wrong} refused` : ''}`,
  )
}

const firstStep = async (client: Client, url: string): Promise<number> => {
  const start = performance.now()
  const { id } = (await client.post('/v2/inference', water(url))).body
  for (;;) {
    const [task] = await client.tasks(id)
    const status = task.task_id.endsWith('planning') ? 'WAITING' : task.pipeline_steps[0].status
    if (!['READY', 'WAITING'].includes(status)) break
    await sleep(5)
  }
  const took = performance.now() - start
  await client.ended(id)
  return took
}

/** From the cancel's POST until the container of a running script is gone. */
const cancel = async (client: Client, url: string): Promise<number> => {
  const name = `bench_${crypto.randomUUID().slice(0, 8)}.py`
  const { body: processor } = await client.processor(slow(120), name)
  const { id } = (
    await client.post('/v2/inference', water(url, { generic_processor_id: processor.id }))
  ).body
  await client.until(id, () => sleepers(name).length > 0)
  const start = performance.now()
  await client.post(`/v2/inference/${id}/cancel`)
  while (sleepers(name).length) await sleep(5)
  return performance.now() - start
}

const median = (times: number[]): string =>
  times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!.toFixed(0)

const worst = async (service: Service) => {
  await underAttack(service, 'api')
  await underAttack(service, 'start')
}
const parts = { '--worst': worst, '--limit': costOfLimit }

/** Only what the worst bodies do to others, or what the rate limit costs: needs no engine. */
for (const [flag, measure] of Object.entries(parts))
  if (process.argv.includes(flag)) {
    const service = await startService()
    try {
      await measure(service)
    } finally {
      await service.close()
    }
    process.exit(0)
  }

/** POST to the first step running, a cancel, and the API's own rates; one process, one Postgres, one run. */
const service = await startService()
try {
  const both = await service.launch('start')
  const client = await service.client(both.url, 'bench@example.org')
  const scene = await client.share(LAKE, 'bench.tif')
  await firstStep(client, scene) // the images are built
  const times = []
  for (let n = 0; n < 5; n++) times.push(await firstStep(client, scene))
  console.log(`POST to the first step running: median ${median(times)} ms of 5`)
  const cancels = []
  for (let n = 0; n < 3; n++) cancels.push(await cancel(client, scene))
  console.log(`cancel to the container gone: median ${median(cancels)} ms of 3`)
  await both.end('SIGTERM')
  const api = await service.launch('api')
  const alone = await service.client(api.url, 'load@example.org')
  await load('POST', 500, () => alone.post('/v2/inference', water(scene)))
  const { id } = (await alone.post('/v2/inference', water(scene))).body
  await load('GET one', 2000, () => alone.get(`/v2/inference/${id}`))
  await load('GET list', 1000, () => alone.get('/v2/inference'))
  await api.end('SIGTERM')
  await costOfLimit(service)
  await worst(service)
} finally {
  await service.close()
}
