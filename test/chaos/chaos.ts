import { sleep } from '../support/api.ts'
import { seeded } from '../support/geotiff.ts'
import { Storm } from './faults.ts'
import { look, type Seen, Watch } from './invariants.ts'
import { byRest, leftFiles, leftRows } from './outside.ts'
import { ChaosService } from './service.ts'
import { Workload } from './workload.ts'

export interface ChaosOptions {
  readonly minutes: number
  /** Seconds between two faults, in the mean. */
  readonly every?: number
  readonly seed?: number
  /** Inferences that run at a time. */
  readonly load?: number
}
export interface ChaosReport {
  readonly seed: number
  readonly faults: Record<string, number>
  readonly count: number
  readonly inferences: Record<string, number>
  readonly requests: { all: number; askedAgain: number }
  readonly looks: number
  readonly violations: string[]
}

const SETTLE_SECONDS = 420
const OPEN = ['PENDING', 'RUNNING']

const summary = (rows: Seen[], workload: Workload): Record<string, number> => {
  const found: Record<string, number> = {}
  for (const row of rows) {
    const one = workload.asked.get(row.id)
    const by = one?.deleted ? 'deleted' : one?.cancelled ? 'cancelled' : one?.kind
    const name = `${by} ${row.deleted ? '' : row.status}`.trim()
    found[name] = (found[name] ?? 0) + 1
  }
  return Object.fromEntries(Object.entries(found).sort())
}

/**
 * Runs a service of its own under a storm of faults, and looks all the while whether what it says
 * holds: what ended stays, counts add up, nothing is lost, doubled or left, and nothing fails that
 * nobody broke.
 */
export const chaos = async (options: ChaosOptions): Promise<ChaosReport> => {
  const { minutes, every = 3, seed = Date.now() % 2 ** 31, load = 6 } = options
  const random = seeded(seed)
  const service = new ChaosService()
  await service.open(2)
  const workload = new Workload(service, random)
  const watch = new Watch()
  let rows: Seen[] = []
  const told = new Set<string>()
  const observe = async (): Promise<void> => {
    // Postgres is away at times: then there is nothing to see.
    const seen = await look(service.db).catch(() => undefined)
    if (seen) watch.take((rows = seen), workload.asked)
    // At once: a storm that is broken off has said what it found.
    for (const text of watch.violations) if (!told.has(text)) console.log(`VIOLATION ${text}`)
    for (const text of watch.violations) told.add(text)
  }
  const storm = new Storm({ service, workload, random })
  const asking = workload.run(load)
  const until = Date.now() + minutes * 60_000
  let looking = true
  const observing = (async () => {
    for (; looking; await sleep(1000)) await observe()
  })()
  while (Date.now() < until) {
    await sleep(every * 1000 * (0.5 + random()))
    storm.strike()
    if (storm.count % 25 === 24)
      console.log(
        `chaos: ${storm.count} faults, ${rows.length} inferences, ${watch.violations.size} violations`,
      )
  }
  await storm.over()
  workload.stop()
  await asking
  const isOpen = () => rows.filter((row) => OPEN.includes(row.status) && !row.deleted)
  await observe()
  for (const end = Date.now() + SETTLE_SECONDS * 1000; Date.now() < end && isOpen().length;)
    await sleep(500)
  looking = false
  await observing
  await observe()
  const stuck = isOpen().map(
    ({ id, status, tasks }) => `${id} stays ${status}: ${JSON.stringify(tasks)}`,
  )
  const seen = await byRest(rows, workload)
  await service.stop()
  const orphan = service.postmaster()
  // What crashes left is cleaned up by the next runner, once it has been still for a while.
  await service.runnerUntil(async () => (await leftRows(service)) === 0, 120)
  const left = leftFiles(service, workload)
  if (orphan) left.push(`the database server outlived all that used it: ${orphan}`)
  const violations = [
    ...watch.violations,
    ...stuck,
    ...seen,
    ...workload.violations,
    ...left,
    ...service.faulty,
  ]
  await service.close(violations.length > 0)
  return {
    seed,
    faults: storm.done,
    count: storm.count,
    inferences: summary(rows, workload),
    requests: { all: workload.requests, askedAgain: workload.refused },
    looks: watch.looks,
    violations,
  }
}
