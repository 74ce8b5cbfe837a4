import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { advise, adviceInput, envelopeOf } from './advice.ts'
import { catalogue, findSource } from './catalogue.ts'

test('ten sources, each found by its pair, ids unique', () => {
  expect(catalogue).toHaveLength(10)
  expect(new Set(catalogue.map((one) => one.id)).size).toBe(10)
  expect(findSource('sentinel_aws', 'sentinel-2-l2a')?.id).toBe(
    '04f16b56-090f-4c04-91dc-a8d1e7d7f87d',
  )
  expect(findSource('sentinel_aws', 's2_l2a')).toBeUndefined()
  for (const { rgb_bands, bands } of catalogue)
    for (const name of rgb_bands ?? []) expect(bands.map((band) => band.band_name)).toContain(name)
})

test('advice: days below the cloud cover, and the nearest day where there is none', async () => {
  const scenes = [
    ['a', '2024-06-10T10:00:00Z', 5],
    ['b', '2024-06-20T10:00:00Z', 90],
  ] as const
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => (text += chunk))
    request.on('end', () => {
      const [from, to] = JSON.parse(text).datetime.split('/')
      const features = scenes
        .filter(([, time]) => time >= from && time <= to)
        .map(([id, datetime, cover]) => ({ id, properties: { datetime, 'eo:cloud_cover': cover } }))
      response.end(JSON.stringify({ features }))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const ask = (dates: string[]) =>
    advise(url, { collections: ['sentinel-2-l2a'], dates, bbox: [[0, 0, 1, 1]], maxcc: 80 })
  expect(await ask(['2024-06-11'])).toMatchObject([{ unique_dates: ['2024-06-10'] }])
  const [none] = (await ask(['2024-06-20'])) as [{ message: string; unique_dates: string[] }]
  expect(none.unique_dates).toEqual([])
  expect(none.message).toContain('Bef_Days: 10')
  server.close()
})

test.each([
  ['POLYGON((1 2, 3 2, 3 -4.5, 1 2))', [1, -4.5, 3, 2]],
  ['{"type":"Polygon","coordinates":[[[1,2],[3,2],[3,4],[1,2]]]}', [1, 2, 3, 4]],
  ['nowhere', undefined],
])('the box of %s', (polygon, box) => {
  expect(envelopeOf(polygon)).toEqual(box)
})

test('a request for more searches than a server should wait for is refused', () => {
  const collections = ['sentinel-2-l2a']
  const asked = (dates: string[], more: object = {}) =>
    adviceInput.safeParse({ collections, dates, bbox: [[0, 0, 1, 1]], ...more }).success
  expect(asked(['2024-01-01'])).toBe(true)
  expect(asked(['2024-13-01'])).toBe(false)
  expect(asked(Array<string>(51).fill('2024-01-01'))).toBe(false)
  expect(asked(['2024-01-01'], { bbox: null, area_polygon: 'nowhere' })).toBe(false)
})
