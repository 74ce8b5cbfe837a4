import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { dag } from '@dagger.io/dagger'
import { expect, test } from 'vitest'
import { root, run, scene, session } from '../support/engine.ts'
import { startGeoserver } from '../support/geoserver/server.ts'
import { LAKE } from '../support/scenes.ts'

/** A port of this machine as a service of the engine's. */
const service = (port: number, frontend = port) => dag.host().service([{ backend: port, frontend }])

test('layers reach a GeoServer, and a second run pushes again though every other step is cached', async () => {
  const stand = await startGeoserver()
  const port = Number(new URL(stand.url).port)
  await session(async () => {
    const inputs = dag.directory().withFile('s.tif', scene(LAKE))
    const go = (password: string) =>
      run(
        'tiny-water',
        inputs,
        ['s.tif'],
        { geoserverUrl: 'http://geoserver:8080/geoserver', inferenceId: 'abc' },
        { temporal_domain: ['2019-09-18'] },
        {
          services: { geoserver: service(port, 8080) },
          secrets: {
            geoserverUsername: dag.setSecret('u', 'admin'),
            geoserverPassword: dag.setSecret('p', password),
          },
        },
      )
    const first = await go('geoserver')
    const push = first.manifest.tasks[0]!.steps.at(-1)!
    expect(push.error).toBeNull()
    expect((push.details.predicted_layers as { uri: string }[]).map((layer) => layer.uri)).toEqual([
      'geofm:abc-input_rgb',
      'geofm:abc-pred',
    ])
    expect(stand.state.indexes.get('geofm/abc-pred')!.granules[0]!.time).toBe('2019-09-18')
    const again = (await go('geoserver')).manifest.tasks[0]!.steps
    expect(again.map((step) => step.cached)).toEqual([true, true, true, false])
    expect(stand.granules('geofm:abc-pred')).toHaveLength(1)
    const refused = await go('not-the-password')
    const error = refused.manifest.tasks[0]!.steps.at(-1)!.error
    expect(error?.code).toBe('geoserver.unauthorized')
    expect(JSON.stringify(refused.manifest)).not.toContain('not-the-password')
  })
  stand.close()
})

test('a scene by URL is fetched once for the same request; redirects and refusals are named', async () => {
  let fetched = 0
  let broken = true
  const files = createServer((request, response) => {
    if (request.url === '/moved.tif') return response.writeHead(302, { location: '/s.tif' }).end()
    if (request.url === '/loop.tif') return response.writeHead(302, { location: '/loop.tif' }).end()
    if (request.url === '/gone.tif') return response.writeHead(403).end()
    if (request.url === '/flaky.tif' && broken) return response.writeHead(503).end()
    fetched++
    return response.writeHead(200).end(readFileSync(LAKE))
  })
  await new Promise<void>((listening) => files.listen(0, '127.0.0.1', listening))
  const port = (files.address() as AddressInfo).port
  await session(async () => {
    const go = async (path: string, allowPrivateHosts = true) => {
      const request = { spatial_domain: { urls: [`http://files:${port}${path}`] } }
      const services = { files: service(port) }
      const key = { services, runKey: `port-${port}` }
      const { manifest } = await run(
        'tiny-water',
        dag.directory(),
        [],
        { allowPrivateHosts },
        request,
        key,
      )
      return manifest.tasks[0]!.steps[0]!
    }
    expect((await go('/moved.tif')).error).toBeNull()
    expect((await go('/moved.tif')).cached).toBe(true)
    expect(fetched).toBe(1)
    expect((await go('/gone.tif')).error?.code).toBe('source.refused')
    expect((await go('/loop.tif')).error?.code).toBe('source.refused')
    expect((await go('/s.tif', false)).error?.code).toBe('source.forbidden_host')
    // What may pass is never answered from the cache.
    expect((await go('/flaky.tif')).error?.code).toBe('source.unreachable')
    broken = false
    expect((await go('/flaky.tif')).error).toBeNull()
  })
  files.close()
})

test("weights by URL: fetched once, checked by their hash, a refusal named as the model's", async () => {
  const onnx = readFileSync(join(root, 'models/tiny-water/tiny_water.onnx'))
  let fetched = 0
  const files = createServer((request, response) => {
    if (request.url === '/gone.onnx') return response.writeHead(403).end()
    fetched++
    return response.writeHead(200).end(onnx)
  })
  await new Promise<void>((listening) => files.listen(0, '127.0.0.1', listening))
  const port = (files.address() as AddressInfo).port
  const sha256 = createHash('sha256').update(onnx).digest('hex')
  await session(async () => {
    const inputs = dag.directory().withFile('s.tif', scene(LAKE))
    const go = async (path: string, hash = sha256) => {
      const weights = { url: `http://weights:${port}${path}`, sha256: hash }
      const { manifest } = await run(
        'tiny-water',
        inputs,
        ['s.tif'],
        { allowPrivateHosts: true },
        {},
        { services: { weights: service(port) } },
        (model) => ({ ...model, inference: { ...model.inference!, weights } }),
      )
      return manifest.tasks[0]!.steps[1]!
    }
    expect((await go('/water.onnx')).error).toBeNull()
    expect((await go('/water.onnx')).cached).toBe(true)
    expect(fetched).toBe(1)
    expect((await go('/gone.onnx')).error).toEqual({
      code: 'model.refused',
      message: expect.stringContaining('inference.weights.url: the URL answered 403'),
    })
    expect((await go('/other.onnx', '0'.repeat(64))).error).toMatchObject({
      code: 'model.bad_weights',
      message: expect.stringContaining(sha256),
    })
  })
  files.close()
})
