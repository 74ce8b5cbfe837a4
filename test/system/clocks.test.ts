import { readFileSync } from 'node:fs'
import { dag, type Client } from '@dagger.io/dagger'
import { expect, test } from 'vitest'
import { composeTask } from '../../pipelines/compose.ts'
import { parseModel } from '../../pipelines/model.ts'
import { planInference } from '../../pipelines/plan.ts'
import { inferenceRequest } from '../../pipelines/request.ts'
import { sleep } from '../support/api.ts'
import { assets, root, session } from '../support/engine.ts'

test('a runner whose clock is an hour behind tries again, and does not repeat a failure from the cache', () =>
  session(async () => {
    const model = parseModel(readFileSync(`${root}/models/tiny-water.yaml`, 'utf8'))
    // Nobody listens there: it may be that somebody does a moment later.
    const request = inferenceRequest.parse({
      spatial_domain: { urls: ['http://127.0.0.1:9/a.tif'] },
    })
    const [task] = planInference(request, model, { allowPrivateHosts: true }).tasks
    const env = { dag: dag as Client, assets: assets(), runKey: crypto.randomUUID(), secrets: {} }
    const tried = async (clock: number) => {
      const start = new Date(Date.now() + clock).toISOString()
      const { report } = await composeTask(env, task!, dag.directory(), start)
      const [step] = report.steps
      expect(step!.error?.code).toBe('source.unreachable')
      return step!.start_time!
    }
    const HOUR = 3_600_000
    const first = await tried(0)
    // As between two tries: the engine's clock is read to within what an answer of it takes.
    await sleep(5000)
    const behind = await tried(-HOUR)
    expect(behind > first).toBe(true)
    await sleep(5000)
    expect((await tried(HOUR)) > behind).toBe(true)
  }))
