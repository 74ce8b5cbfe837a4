import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { readConfig } from '../../api/config.ts'
import { publish } from '../../api/inference/events.ts'
import { planTask } from '../../api/runs/plan-task.ts'
import { recorder, type TaskRow } from '../../api/runs/record.ts'
import { FolderStore } from '../../api/storage/folder.ts'
import { cataloguesOf } from '../../pipelines/catalogues.ts'
import { type Client, type Process, sleep, startService, water } from '../support/api.ts'

/**
 * What many tasks cost, without an engine: planning of 10,000, step changes a second in inferences
 * of 10, 1,000 and 10,000 tasks, and the API's memory over 20,000 events told to open streams. Ends
 * with status 1 where a bound is broken.
 */
const ROUNDS = 5
const TASKS = 9
const EVENTS = 20_000
const STREAMS = 5

const service = await startService()
const api: Process = await service.launch('api')
const client: Client = await service.client(api.url, 'bench@example.org')
const config = readConfig(service.settings)
const record = recorder(service.db, {
  ...{ runner: 'bench', leaseSeconds: 600, system: config.DEFAULT_SYSTEM_USER },
  ...{ maxAttempts: 3, maxDeaths: 12, retrySeconds: 1 },
})
const broken: string[] = []
const bound = (what: string, held: boolean): void => {
  if (!held) broken.push(what)
}

/** Tasks of this inference, or its planning task, as `claim` gives them of the queue. */
const taken = async (id: string, planning = false): Promise<TaskRow[]> => {
  const { rows } = await sql<TaskRow>`
    update inf_task set runner = 'bench', lease_until = now() + interval '1 hour',
      fence = fence + 1, attempt = attempt + 1
    where id in (select id from inf_task where inference_id = ${id} and status = 'READY'
      and planning = ${planning} order by id limit ${TASKS}) returning *`.execute(service.db)
  return rows
}

/** An inference whose tasks are planned by the runner's own planning task. */
const planned = async (tasks: number): Promise<{ id: string; seconds: number }> => {
  const urls = Array.from({ length: tasks }, (_, n) => `https://host.example.org/2024_${n}.tif`)
  const { body } = await client.post('/v2/inference', water('', { spatial_domain: { urls } }))
  const [planning] = (await taken(body.id, true)) as [TaskRow]
  await record.started(planning, 0, 'planning')
  const store = new FolderStore(
    join(config.dataFolder, 'objects'),
    config.signingKey,
    () => api.url,
  )
  const catalogue = cataloguesOf({
    ...config.catalogue,
    allowPrivateHosts: false,
    mostTasks: config.MAX_TASKS,
  })
  const deps = { db: service.db, config, store, recorder: record, catalogue }
  const { signal } = new AbortController()
  const began = performance.now()
  await planTask(deps, planning, async () => undefined, signal)
  return { id: body.id, seconds: (performance.now() - began) / 1000 }
}

/** Starts and finishes every step of some tasks. @returns changes a second */
const changes = async (id: string): Promise<number> => {
  const tasks = await taken(id)
  const began = performance.now()
  let count = 0
  for (const task of tasks)
    for (const step of task.pipeline_steps) {
      await record.started(task, step.step_number, 'bench')
      await record.finished(task, step.step_number, {})
      count += 2
    }
  return count / ((performance.now() - began) / 1000)
}
const median = (all: number[]): number => all.sort((a, b) => a - b)[Math.floor(all.length / 2)]!
const mib = (process: Process): number => {
  const status = readFileSync(`/proc/${process.child.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024
}

try {
  const thousand = await planned(1000)
  const many = await planned(10_000)
  console.log(`plan    10,000 tasks in ${many.seconds.toFixed(1)} s (bound 20 s)`)
  bound('planning', many.seconds < 20)

  // In turns, so that what else this machine does falls on all three.
  const rates: Record<string, number[]> = { 10: [], 1000: [], 10_000: [] }
  for (let round = 0; round < ROUNDS; round++) {
    rates[10]!.push(await changes((await planned(10)).id))
    rates[1000]!.push(await changes(thousand.id))
    rates[10_000]!.push(await changes(many.id))
  }
  const [ten, k, tenK] = [median(rates[10]!), median(rates[1000]!), median(rates[10_000]!)]
  for (const [name, rate] of [
    ['10', ten],
    ['1,000', k],
    ['10,000', tenK],
  ] as const)
    console.log(
      `steps   ${name.padStart(6)} tasks: ${rate.toFixed(0)} changes/s, ${(ten / rate).toFixed(2)} times the cost of 10`,
    )
  bound('step changes', ten / tenK < 1.3 && ten / k < 1.3)

  const ends = new AbortController()
  let heard = 0
  for (let n = 0; n < STREAMS; n++)
    void (async () => {
      const { body } = await fetch(`${api.url}/v2/async/notify/${many.id}`, {
        ...{ headers: { 'X-API-Key': client.key }, signal: ends.signal },
      })
      for await (const chunk of body!) heard += chunk.length
    })().catch(() => undefined)
  const tell = async (count: number) => {
    for (let n = 0; n < count; n += 20)
      await service.db.transaction().execute(async (trx) => {
        for (let one = 0; one < 20; one++)
          await publish(trx, many.id, 'Inf:Task:Notify', { message: `${n + one}` }, 'bench')
      })
    await sleep(2000)
  }
  await tell(2000)
  const seen = [mib(api)]
  for (let part = 0; part < 4; part++) {
    await tell(EVENTS / 4)
    seen.push(mib(api))
  }
  console.log(
    `memory  of the API over ${EVENTS} events to ${STREAMS} streams (${(heard / 1e6).toFixed(0)} MB told): ` +
      `${seen.map((size) => size.toFixed(0)).join(', ')} MiB`,
  )
  // From half of them on: the heap has found its size by then.
  bound('memory', seen[4]! / seen[2]! < 1.1 && heard > EVENTS * STREAMS)
  ends.abort()
} finally {
  await service.close()
}
for (const what of broken) console.error(`out of its bound: ${what}`)
process.exit(broken.length ? 1 : 0)
