import { execFileSync } from 'node:child_process'
import { sleep } from '../support/api.ts'
import type { ChaosService } from './service.ts'
import type { Workload } from './workload.ts'

type Fault = (hit: Hit) => Promise<boolean>
interface Hit {
  readonly service: ChaosService
  readonly workload: Workload
  readonly random: () => number
}

const between = (random: () => number, low: number, high: number): number =>
  low + random() * (high - low)

const signal = (pid: number, name: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, name)
  } catch {
    return false // it has ended meanwhile
  }
}

/** Stops a process for some seconds: it is silent, its connections stay open. */
const freeze = async (pid: number | undefined, seconds: number): Promise<boolean> => {
  if (!pid || !signal(pid, 'SIGSTOP')) return false
  await sleep(seconds * 1000)
  signal(pid, 'SIGCONT')
  return true
}

/** Switches what is wrong with the store on for some seconds; `turn` answers whether it could. */
const forSeconds =
  (turn: (service: ChaosService, on: boolean) => boolean): Fault =>
  async ({ service, random }) => {
    if (!turn(service, true)) return false
    await sleep(between(random, 1, 5) * 1000)
    while (!turn(service, false)) await sleep(100)
    return true
  }

const end =
  (kind: 'api' | 'runner', how: NodeJS.Signals): Fault =>
  async ({ service, random }) => {
    const [, victim] = service.pick(kind, random) ?? []
    if (!victim) return false
    service.end(victim, how)
    return true
  }

const stop =
  (kind: 'api' | 'runner', longest: number): Fault =>
  async ({ service, random }) =>
    freeze(service.pick(kind, random)?.[1].child.pid, between(random, 0.5, longest))

const sessionOf = ({ service, random }: Hit): number | undefined => {
  const all = service.sessions()
  return all[Math.floor(random() * all.length)]
}

/** A process of the server's that serves one connection. */
const backend = ({ service, random }: Hit): number | undefined => {
  const postmaster = service.postmaster()
  if (!postmaster) return undefined
  const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(postmaster)])
  const pids = children.toString().trim().split(/\s+/).map(Number)
  return pids[Math.floor(random() * pids.length)]
}

/** What is done to the service: how often, against the others, and how. */
export const FAULTS: Record<string, [weight: number, run: Fault]> = {
  'api KILL': [3, end('api', 'SIGKILL')],
  'api TERM': [1, end('api', 'SIGTERM')],
  'api STOP': [2, stop('api', 3)],
  'runner KILL': [5, end('runner', 'SIGKILL')],
  'runner TERM': [2, end('runner', 'SIGTERM')],
  'runner STOP': [3, stop('runner', 7)],
  'session KILL': [
    4,
    async (hit) => {
      const pid = sessionOf(hit)
      return pid !== undefined && signal(pid, 'SIGKILL')
    },
  ],
  'session STOP': [2, async (hit) => freeze(sessionOf(hit), between(hit.random, 0.5, 4))],
  'postgres KILL': [
    2,
    async ({ service }) => {
      const pid = service.postmaster()
      return pid !== undefined && signal(pid, 'SIGKILL')
    },
  ],
  'postgres STOP': [
    2,
    async ({ service, random }) => freeze(service.postmaster(), between(random, 0.5, 3)),
  ],
  'backend KILL': [
    2,
    async (hit) => {
      const pid = backend(hit)
      return pid !== undefined && signal(pid, 'SIGKILL')
    },
  ],
  'store read-only': [3, forSeconds((service, on) => service.writable(!on))],
  'store full': [3, forSeconds((service, on) => service.full(on))],
  cancel: [2, ({ workload }) => workload.cancel()],
  delete: [2, ({ workload }) => workload.remove()],
}

/** One fault of a random kind; the same one never overlaps itself. */
export class Storm {
  readonly done: Record<string, number> = {}
  private readonly running = new Set<string>()
  private readonly pending = new Set<Promise<void>>()
  private readonly hit: Hit
  constructor(hit: Hit) {
    this.hit = hit
  }

  get count(): number {
    return Object.values(this.done).reduce((sum, one) => sum + one, 0)
  }

  strike(): void {
    const free = Object.entries(FAULTS).filter(([name]) => !this.running.has(name))
    const bag = free.flatMap(([name, [weight]]) => Array<string>(weight).fill(name))
    const name = bag[Math.floor(this.hit.random() * bag.length)]
    if (!name) return
    this.running.add(name)
    const one = FAULTS[name]![1](this.hit)
      .then((hit) => {
        if (hit) this.done[name] = (this.done[name] ?? 0) + 1
      })
      .catch((error: Error) => console.log(`fault ${name}: ${error.message}`))
      .finally(() => {
        this.running.delete(name)
        this.pending.delete(one)
      })
    this.pending.add(one)
  }

  /** Until nothing is stopped or read-only any more. */
  async over(): Promise<void> {
    await Promise.all(this.pending)
  }
}
