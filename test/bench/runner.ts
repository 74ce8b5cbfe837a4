import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { sql } from 'kysely'
import { type Process, sleep, startService, water } from '../support/api.ts'
import { startEngineStandIn } from '../support/engine-stand-in.ts'
import { LAKE } from '../support/scenes.ts'

/**
 * Memory of a runner process over 20,000 step changes (a start and an end each, both told as events):
 * RSS, and the heap after a forced collection, at the start and after each quarter. Ends with status
 * 1 where the last half grows by more than a tenth.
 *
 * The process is whole: claims, leases, sessions, logs, uploads. At the other end of its sessions is
 * a stand-in that answers at once; `--real` has the engine run a cached scene instead, which takes
 * a second or two a task.
 */
const { values } = parseArgs({
  options: { events: { type: 'string', default: '20000' }, real: { type: 'boolean' } },
})
const EVENTS = Number(values.events)
const STEPS = 4
const WARM_UP = 100

const engine = values.real ? undefined : await startEngineStandIn()
const service = await startService({ RUNNER_CONCURRENCY: values.real ? '4' : '8' })
const api = await service.launch('api')
const client = await service.client(api.url, 'bench@example.org')
const runner = await service.launch('runner', {
  ...{ PUBLIC_URL: api.url, NODE_OPTIONS: '--inspect=127.0.0.1:0' },
  ...engine?.settings,
})

/** Calls of the inspector of a process, by its DevTools protocol. */
const inspect = async (process: Process) => {
  const [url] = /ws:\/\/\S+/.exec(process.output)!
  const socket = new WebSocket(url)
  await new Promise((done) => socket.addEventListener('open', done))
  let last = 0
  const call = (method: string, params: object = {}) =>
    new Promise<any>((done) => {
      const id = ++last
      const hear = ({ data }: MessageEvent) => {
        const told = JSON.parse(String(data))
        if (told.id !== id) return
        socket.removeEventListener('message', hear)
        done(told.result)
      }
      socket.addEventListener('message', hear)
      socket.send(JSON.stringify({ id, method, params }))
    })
  // A process that is inspected does not end before its inspector has gone.
  return { call, close: () => socket.close() }
}
const { call, close } = await inspect(runner)
const MIB = 1024 ** 2
interface Memory {
  readonly rss: number
  readonly heap: number
}
/** RSS, and the heap in use, MiB, after what nobody holds is collected. */
const memory = async (): Promise<Memory> => {
  for (let n = 0; n < 2; n++) await call('HeapProfiler.collectGarbage')
  const { result } = await call('Runtime.evaluate', {
    expression: 'process.memoryUsage().heapUsed',
  })
  const status = readFileSync(`/proc/${runner.child.pid}/status`, 'utf8')
  return { rss: Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024, heap: result.value / MIB }
}
const done = async (): Promise<number> => {
  const { rows } = await sql<{ n: number }>`select coalesce(sum(tasks_count_success), 0)::int as n
    from inf_inference`.execute(service.db)
  return rows[0]!.n
}
/** A run of so many tasks; a planning task is a step too. */
const submit = async (tasks: number): Promise<void> => {
  const scene = values.real
    ? await client.share(LAKE, 'lake.tif')
    : 'https://host.example.org/a.tif'
  const urls = Array<string>(tasks).fill(scene)
  const { status, body } = await client.post(
    '/v2/inference',
    water('', { spatial_domain: { urls } }),
  )
  if (status !== 201) throw new Error(JSON.stringify(body))
}
const until = async (steps: number): Promise<void> => {
  while ((await done()) < steps) {
    runner.alive()
    const { rows } = await sql<{ status: string }>`select status from inf_inference
      where status not in ('PENDING', 'RUNNING', 'COMPLETED')`.execute(service.db)
    if (rows.length) throw new Error(`an inference is ${rows[0]!.status}`)
    await sleep(200)
  }
}

let held = false
try {
  await submit(WARM_UP)
  const first = WARM_UP * STEPS + 1
  await until(first)
  const began = performance.now()
  const seen = [await memory()]
  await submit(EVENTS / 2 / STEPS)
  for (let part = 1; part <= 4; part++) {
    await until(first + Math.floor((EVENTS / 2) * (part / 4)))
    seen.push(await memory())
    const { rss, heap } = seen.at(-1)!
    const at = `${(EVENTS * part) / 4}`.padStart(6)
    console.log(
      `runner  after ${at} step changes: RSS ${rss.toFixed(0)} MiB, heap ${heap.toFixed(1)} MiB`,
    )
  }
  const [start, , half, , end] = seen
  const seconds = (performance.now() - began) / 1000
  const told = (a: Memory, b: Memory) =>
    `RSS ${(b.rss / a.rss).toFixed(2)}, heap ${(b.heap / a.heap).toFixed(2)}`
  console.log(
    `runner  at the start: RSS ${start!.rss.toFixed(0)} MiB, heap ${start!.heap.toFixed(1)} MiB; ` +
      `end over start: ${told(start!, end!)}; end over half: ${told(half!, end!)} (bound 1.1); ` +
      `${(EVENTS / seconds).toFixed(0)} changes/s`,
  )
  held = end!.rss / half!.rss < 1.1 && end!.heap / half!.heap < 1.1
} finally {
  close()
  await service.close()
  engine?.stop()
}
if (!held) console.error('out of its bound: memory of the runner')
process.exit(held ? 0 : 1)
