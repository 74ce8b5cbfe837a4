import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dag } from '@dagger.io/dagger'
import { expect, test } from 'vitest'
import { run, session } from '../support/engine.ts'
import { geotiff } from '../support/geotiff.ts'

const SIZE = 64

test('a model at its model_url: the scene goes there, classes come back, masks and layers follow', async () => {
  const asked: { model: string; data: Record<string, string>; key: string | undefined }[] = []
  const made = geotiff(SIZE, 1, (_, row, column) => (column > row ? 1 : 0)).toString('base64')
  let busy = 1
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const body = JSON.parse(Buffer.concat(parts).toString())
    asked.push({ ...body, key: request.headers.authorization })
    if (busy-- > 0) return response.writeHead(503, { 'retry-after': '0' }).end('loading')
    const data = { data_format: 'b64_json', data: made, request_id: 'pool-7' }
    response.end(JSON.stringify({ request_id: 'pool-7', created_at: 1, data }))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const backend = (server.address() as AddressInfo).port
  const scene = geotiff(SIZE, 13, (band, row) => 500 + 100 * band + row)
  await session(async () => {
    const text = scene.toString('base64')
    const inputs = dag
      .container()
      .from('debian:bookworm-slim')
      .withNewFile('/s.b64', text)
      .withExec(['sh', '-c', 'mkdir /made && base64 -d /s.b64 > /made/s.tif'])
      .directory('/made')
    const go = (options: object, inferenceId: string) =>
      run(
        'tiny-water',
        inputs,
        ['s.tif'],
        { inferenceId, ...options },
        { temporal_domain: ['2024-08-12'] },
        {
          services: { vllm: dag.host().service([{ backend, frontend: 8000 }]) },
          secrets: {
            server: dag.setSecret('server', '{"uploads":{},"tokens":{"http://vllm:8000":"t0ken"}}'),
          },
        },
        (model) => ({
          ...model,
          inference: null,
          model_url: 'http://vllm:8000/pooling',
          internal_name: 'tiny-water-1',
        }),
      )
    const inside = await go({}, crypto.randomUUID())
    expect(inside.manifest.tasks[0]!.steps.map(({ error }) => error?.code ?? null)).toEqual([
      ...[null, 'model.server_forbidden', null, null],
    ])
    expect(asked).toEqual([])
    const { manifest } = await go({ modelServers: ['http://vllm:8000'] }, crypto.randomUUID())
    const steps = manifest.tasks[0]!.steps
    expect(steps.map(({ process_id, error }) => [process_id, error])).toEqual([
      ['url-connector', null],
      ['run-inference', null],
      ['postprocess-generic', null],
      ['push-to-geoserver', null],
    ])
    expect(steps[1]!.details).toMatchObject({ tries: 2, request_id: 'pool-7', values: 'classes' })
    expect(steps[1]!.details.classes).toEqual({
      0: (SIZE * (SIZE + 1)) / 2,
      1: (SIZE * (SIZE - 1)) / 2,
    })
  })
  server.close()
  expect(asked.map(({ model, key }) => [model, key])).toEqual(
    Array(2).fill(['tiny-water-1', 'Bearer t0ken']),
  )
  expect(asked[0]!.data.data).toMatch(
    /^data:image\/tiff;name=scene_20240812T000000\.tif;base64,SUkq/,
  )
  expect(JSON.stringify(asked[0]!.data.indices)).toBe('[0,1,2,3,4,5]')
})
