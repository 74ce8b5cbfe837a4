import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Label values that one process tells apart; users name models, so there is no end of them. */
const MOST_VALUES = 100

/** A label's value, or `other` once there are too many: each costs a series for ever. */
export const bounded = (most = MOST_VALUES): ((value: string) => string) => {
  const known = new Set<string>()
  return (value) => {
    if (known.size < most) known.add(value)
    return known.has(value) ? value : 'other'
  }
}

/** How a step of a task ended, as its report says. */
export interface StepSeen {
  readonly step: string
  readonly model: string
  readonly status: string
  /** The engine had it already: no container ran. */
  readonly cached: boolean
  /** This run's seconds, from its start to its result. */
  readonly seconds: number
  readonly details: Readonly<Record<string, unknown>>
}

/**
 * Prometheus: what a runner does. Seconds are of steps that ran, not of those from the cache.
 *
 * `ofProcess`: the process's memory, CPU and event loop too
 */
export const runMetrics = (ofProcess = false) => {
  const register = new Registry()
  if (ofProcess) collectDefaultMetrics({ register })
  const registers = [register]
  const models = bounded()
  const codes = bounded(300)
  const steps = new Counter({
    name: 'geodag_steps_total',
    help: 'Steps that ended, by step, model and status',
    labelNames: ['step', 'model', 'status'],
    registers,
  })
  const hits = new Counter({
    name: 'geodag_step_cache_hits_total',
    help: 'Steps that the engine answered from its cache',
    labelNames: ['step', 'model'],
    registers,
  })
  const seconds = new Histogram({
    name: 'geodag_step_seconds',
    help: 'Seconds of steps that ran; those from the cache are not in it',
    labelNames: ['step', 'model'],
    buckets: [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 1800, 3600],
    registers,
  })
  const kernel = new Histogram({
    name: 'geodag_kernel_share',
    help: "Share of an inference step's time in which the model computed, 0 to 1",
    labelNames: ['model'],
    buckets: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1],
    registers,
  })
  const ends = new Counter({
    name: 'geodag_task_ends_total',
    help: 'Tries of tasks by how they ended: finished, failed, retried, postponed, lost',
    labelNames: ['end'],
    registers,
  })
  const failures = new Counter({
    name: 'geodag_failures_total',
    help: 'Failures by code; `final`: no other try follows',
    labelNames: ['code', 'final'],
    registers,
  })
  const running = new Gauge({
    name: 'geodag_running_tasks',
    help: 'Tasks that this runner works on',
    registers,
  })
  const places = new Gauge({
    name: 'geodag_runner_concurrency',
    help: 'Tasks that this runner may work on at once',
    registers,
  })
  return {
    register,
    running: (count: number) => running.set(count),
    concurrency: (count: number) => places.set(count),
    ended: (end: 'finished' | 'failed' | 'retried' | 'postponed' | 'lost') => ends.inc({ end }),
    failed: (code: string, final: boolean) =>
      failures.inc({ code: codes(code), final: String(final) }),
    step: (seen: StepSeen) => {
      const labels = { step: seen.step, model: models(seen.model) }
      steps.inc({ ...labels, status: seen.status })
      if (seen.cached) return hits.inc(labels)
      if (seen.status !== 'SKIPPED') seconds.observe(labels, seen.seconds)
      const share = seen.details.kernel_share
      if (typeof share === 'number') kernel.observe({ model: labels.model }, share)
    },
  }
}
export type RunMetrics = ReturnType<typeof runMetrics>
