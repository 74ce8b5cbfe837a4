import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Service, startService, water } from '../support/api.ts'
import { startCollector } from '../support/collector.ts'
import { freePort } from '../support/services.ts'
import { LAKE } from '../support/scenes.ts'

let service: Service
let collector: Awaited<ReturnType<typeof startCollector>>
beforeAll(async () => {
  collector = await startCollector()
  const port = String(await freePort())
  const PUBLIC_URL = `http://127.0.0.1:${port}`
  const OTEL_EXPORTER_OTLP_ENDPOINT = collector.url
  service = await startService({ PORT: port, PUBLIC_URL, OTEL_EXPORTER_OTLP_ENDPOINT })
})
afterAll(async () => {
  await service?.close()
  collector?.close()
})

const TRACE = '0af7651916cd43dd8448eb211c80319c'

test('one trace from the request over the run to each step, and into the engine', async () => {
  const api = await service.launch('api')
  const runner = await service.launch('runner')
  const client = await service.client(api.url, 'trace@example.org')
  const scene = await client.share(LAKE, 'lake.tif')
  const made = await client.post('/v2/inference', water(scene), {
    traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
    'X-Request-Id': 'ask-1',
  })
  expect([made.status, made.headers.get('x-request-id')]).toEqual([201, 'ask-1'])
  const { inference } = await client.ended(made.body.id)
  expect(inference.status, runner.output.slice(-3000)).toBe('COMPLETED')
  const [task] = await client.tasks(made.body.id)
  await Promise.all([api.end('SIGTERM'), runner.end('SIGTERM')])

  const spansOf = (ours: boolean) =>
    collector.spans.filter(
      ({ trace, service }) => trace === TRACE && (service === 'geodag') === ours,
    )
  const own = spansOf(true)
  const one = (name: string) => {
    const found = own.filter((span) => span.name === name)
    expect(found.length, name).toBe(1)
    return found[0]!
  }
  const request = one('POST /v2/inference')
  expect(request.parent).toBe('b7ad6b7169203331')
  expect(one('inference').parent).toBe(request.id)
  expect(one('task planning').parent).toBe(one('inference').id)
  const steps = task.pipeline_steps.map(({ process_id }: any) => one(`step ${process_id}`))
  for (const step of steps) {
    expect(step.parent).toBe(one('task').id)
    expect(step.failed).toBe(false)
  }
  // Dagger's own spans stand below the step that asked for them. Its session sends them, and is not
  // waited for by the SDK that told it to end.
  const ids = new Set<string>(steps.map(({ id }: any) => id))
  const below = () => spansOf(false).filter(({ parent }) => ids.has(parent)).length
  await expect.poll(below, { timeout: 120_000 }).toBeGreaterThan(0)

  // What a library says by itself on stderr is no line of the log.
  const lines = [api, runner]
    .flatMap(({ output }) => output.split('\n'))
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
  const told = lines.filter(({ inference }) => inference === made.body.id)
  expect(
    told
      .filter(({ step }) => step)
      .every(({ task, runner, trace_id }) => task && runner && trace_id === TRACE),
  ).toBe(true)
  expect(told.find(({ msg }) => msg === 'inference made').user).toBe('trace@example.org')
  expect(lines.find(({ request }) => request === 'ask-1').status).toBe(201)
  for (const { output } of [api, runner]) {
    expect(output).not.toContain(client.key)
    expect(output).not.toMatch(/signature=|X-Amz-Signature/i)
  }
})
