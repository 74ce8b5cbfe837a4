import { expect, test } from 'vitest'
import { bounded, runMetrics } from './run-metrics.ts'

const seen = {
  ...{ step: 'onnx-inference', model: 'water', status: 'FINISHED', cached: false, seconds: 3 },
  details: { kernel_share: 0.82 },
}

test('a step that ran has seconds; one from the cache is a hit and has none', async () => {
  const metrics = runMetrics()
  metrics.step(seen)
  metrics.step({ ...seen, cached: true, seconds: 0.1 })
  metrics.failed('source.timeout', false)
  const text = await metrics.register.metrics()
  const labels = 'step="onnx-inference",model="water"'
  for (const line of [
    `geodag_steps_total{${labels},status="FINISHED"} 2`,
    `geodag_step_cache_hits_total{${labels}} 1`,
    `geodag_step_seconds_count{${labels}} 1`,
    `geodag_step_seconds_sum{${labels}} 3`,
    'geodag_kernel_share_sum{model="water"} 0.82',
    'geodag_failures_total{code="source.timeout",final="false"} 1',
  ])
    expect(text).toContain(line)
})

test('users who name models without end make no series without end', () => {
  const label = bounded(2)
  expect(['a', 'b', 'c', 'a'].map(label)).toEqual(['a', 'b', 'other', 'a'])
})
