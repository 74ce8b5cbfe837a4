import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { accessFor, isOpen } from './access.ts'
import { memoryStore } from './cache.ts'
import { rowOf } from './catalogue.ts'
import { connectorFor } from './connector.ts'
import type { Ask, Send } from './http.ts'
import { accessToken } from './oauth.ts'
import { processRequest } from './sentinelhub.ts'
import { presigned } from './sigv4.ts'
import { BOX_A, stacItem } from '../test/support/stac-items.ts'

const row = rowOf
const of = (connector: string, collection: string, ...hrefs: string[]) => [
  { row: row(connector, collection), hrefs },
]

/** Sentinel Hub: a token for the right secret, its catalogue for the right token. */
const hub = (life = 3600) => {
  const asked: Ask[] = []
  const send: Send = async (ask) => {
    asked.push(ask)
    const answer = (status: number, body: unknown) => ({
      ...{ status, headers: {}, text: JSON.stringify(body), url: ask.url },
    })
    if (ask.url.endsWith('/token')) {
      const form = new URLSearchParams(ask.body)
      const right =
        form.get('client_secret') === 'right' && form.get('grant_type') === 'client_credentials'
      const token = `token-of-${form.get('client_id')}`
      return right ? answer(200, { access_token: token, expires_in: life }) : answer(401, {})
    }
    if (!/^Bearer token-of-/.test(ask.headers?.Authorization ?? '')) return answer(401, {})
    const item = (id: string, constellation?: string) =>
      stacItem({
        ...{ id, datetime: '2024-06-10T10:50:31Z', collection: 'hls', assets: {} },
        properties: { constellation },
      })
    return answer(200, {
      features: [item('HLS.L30.T31TCJ.x'), item('HLS.S30.T31TCJ.x'), item('other', 'sentinel-2')],
    })
  }
  return { send, asked }
}
const credentialsOf = (id: string, secret = 'right') => ({ sentinelhub: { id, secret } })

test('Sentinel Hub: one token for many searches; items of the other sensor are left out', async () => {
  const { send, asked } = hub()
  const options = { credentials: credentialsOf('one'), send, store: memoryStore() }
  const query = {
    bbox: BOX_A,
    interval: { start: '2024-06-10T00:00:00Z', end: '2024-06-10T23:59:59Z' },
  }
  const found = await connectorFor(row('sentinelhub', 'hls_l30'), options).search({
    ...query,
    bands: ['Red', 'QA'],
  })
  expect(found.items.map(({ id }) => id)).toEqual(['HLS.L30.T31TCJ.x'])
  expect(found.items[0]!.bands.QA).toMatchObject({
    ...{ href: 'https://services-uswest2.sentinel-hub.com/api/v1/process', file_band: 2 },
    ...{ class_band: true, scale: 1, offset: 0 },
  })
  await connectorFor(row('sentinelhub', 'hls_s30'), options).search({ ...query, bands: ['Red'] })
  expect(asked.filter(({ url }) => url.endsWith('/token'))).toHaveLength(1)
  expect(JSON.stringify(found)).not.toMatch(/token-of|right/)
})

test('Sentinel Hub: a wrong secret is said without it', async () => {
  const { send } = hub()
  const url = row('sentinelhub', 's2_l2a').search!.token_url!
  const error = await accessToken(url, { id: 'x', secret: 'wrong' }, send).catch((e) => e)
  expect(error).toMatchObject({ code: 'connector.bad_credentials' })
  expect(error.message).not.toContain('wrong')
})

test('a token that ends soon is asked for anew', async () => {
  const { send, asked } = hub(60)
  const url = row('sentinelhub', 's2_l2a').search!.token_url!
  for (let n = 0; n < 2; n++) await accessToken(url, { id: 'short', secret: 'right' }, send)
  expect(asked).toHaveLength(2)
})

test('elevation of Sentinel Hub has no scenes: one item for the box, nothing is asked', async () => {
  const { send, asked } = hub()
  const options = { credentials: credentialsOf('dem'), send, store: memoryStore() }
  const { items } = await connectorFor(row('sentinelhub', 'dem'), options).search({
    ...{ bbox: [179.6, -17, -179.6, -16.5], bands: ['DEM'] },
    interval: { start: '2024-06-10T00:00:00Z', end: '2024-06-10T23:59:59Z' },
  })
  expect(items).toHaveLength(1)
  expect(items[0]!.footprint.coordinates).toEqual([
    [
      ...[
        [179.6, -17],
        [180.4, -17],
      ],
      ...[
        [180.4, -16.5],
        [179.6, -16.5],
        [179.6, -17],
      ],
    ],
  ])
  expect(asked).toHaveLength(0)
})

const grid = {
  ...{ epsg: 32631, width: 912, height: 512 },
  transform: [500000, 10, 0, 5000000, 0, -10] as const,
}
const interval = { start: '2024-06-10T00:00:00Z', end: '2024-06-10T23:59:59.999Z' }
test('one call of the process API: this grid, these bands, dataMask last, harmonised', () => {
  const { url, body } = processRequest(row('sentinelhub', 's2_l2a'), {
    ...{ bands: ['B04', 'SCL'], grid, interval },
  }) as { url: string; body: any }
  expect(url).toBe('https://services.sentinel-hub.com/api/v1/process')
  expect(body.input.bounds).toEqual({
    bbox: [500000, 4994880, 509120, 5000000],
    properties: { crs: 'http://www.opengis.net/def/crs/EPSG/0/32631' },
  })
  expect(body.output).toMatchObject({ width: 912, height: 512 })
  expect(body.input.data[0]).toMatchObject({
    type: 'sentinel-2-l2a',
    processing: { harmonizeValues: true, upsampling: 'NEAREST' },
    dataFilter: { timeRange: { from: interval.start, to: interval.end } },
  })
  // No scene is left out by its clouds: that would cut the box.
  expect(JSON.stringify(body)).not.toContain('maxCloudCoverage')
  const made = new Function(
    `${body.evalscript}; return [setup(), evaluatePixel({ B04: 700, SCL: 4, dataMask: 1 })]`,
  )()
  expect(made).toEqual([
    {
      input: [{ bands: ['B04', 'SCL', 'dataMask'], units: 'DN' }],
      output: { bands: 3, sampleType: 'UINT16' },
    },
    [700, 4, 1],
  ])
})

test('the process API: radar of one direction, floats; too large and foreign rows are refused', () => {
  const ask = (collection: string, more: object = {}) =>
    processRequest(row('sentinelhub', collection), {
      ...{ bands: ['VV'], grid, interval, ...more },
    }) as any
  const radar = ask('s1_grd', { orbit: 'descending' }).body
  expect(radar.input.data[0].dataFilter.orbitDirection).toBe('DESCENDING')
  expect(radar.evalscript).toContain('FLOAT32')
  expect(() => ask('s1_grd', { grid: { ...grid, width: 2501 } })).toThrow(/2500 a side/)
  expect(() => ask('s1_grd', { bands: ['B04'] })).toThrow(/connector.unknown_band/)
  expect(ask('dem', { bands: ['DEM'] }).body.input.data[0].dataFilter).toEqual({
    demInstance: 'COPERNICUS_30',
  })
  const other = row('sentinel_aws', 'sentinel-2-l2a')
  expect(() => processRequest(other, { bands: ['red'], grid, interval })).toThrow(/bad_query/)
})

test('access: to public files nothing, else a token of the one host that needs it', async () => {
  expect(isOpen(await accessFor(of('sentinel_aws', 'sentinel-2-l2a', 'https://x/y.tif')))).toBe(
    true,
  )
  const credentials = { ...credentialsOf('run'), earthdata: 'e', planetary_computer: 'k' }
  const { send } = hub()
  const all = await accessFor(
    [
      ...of('nasa_earthdata', 'HLSS30_2.0'),
      ...of('planetary_computer', 'sentinel-2-l2a'),
      ...of('sentinelhub', 's2_l2a'),
    ],
    { credentials, send },
  )
  expect(all).toEqual({
    bearer: {
      'data.lpdaac.earthdatacloud.nasa.gov': 'e',
      'services.sentinel-hub.com': 'token-of-run',
    },
    sas: {
      'sentinel2l2a01.blob.core.windows.net': {
        endpoint: 'https://planetarycomputer.microsoft.com/api/sas/v1/token',
        key: 'k',
      },
    },
    signed: {},
  })
  expect(isOpen(all)).toBe(false)
  await expect(accessFor(of('cdse', 'sentinel-2-l2a'))).rejects.toMatchObject({
    code: 'connector.missing_credentials',
  })
})

test('s3 hrefs of CDSE are signed for a time; the secret key is not in them', async () => {
  const href = 's3://eodata/Sentinel-2/MSI/a b+c.jp2'
  const cdse = { accessKeyId: 'AK', secretAccessKey: 'very-secret' }
  const { signed } = await accessFor(of('cdse', 'sentinel-2-l2a', href, href), {
    credentials: { cdse },
  })
  expect(Object.keys(signed)).toEqual([href])
  const url = new URL(signed[href]!)
  expect(url.origin + url.pathname).toBe(
    'https://eodata.dataspace.copernicus.eu/eodata/Sentinel-2/MSI/a%20b%2Bc.jp2',
  )
  expect(url.searchParams.get('X-Amz-Expires')).toBe('43200')
  expect(url.href).not.toContain('very-secret')
})

test("the signature is that of AWS's own example", () => {
  // "Authenticating Requests: Using Query Parameters", by path instead of by host.
  const place = {
    ...{ endpoint: 'https://examplebucket.s3.amazonaws.com', region: 'us-east-1' },
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  }
  const made = presigned('s3://test.txt', place, 86400, new Date('2013-05-24T00:00:00Z'))
  expect(new URL(made).searchParams.get('X-Amz-Signature')).toBe(
    'aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
  )
})

test('a key of the search cache holds no account', async () => {
  const keys: string[] = []
  const store = memoryStore()
  const listening = {
    ...store,
    set: (key: string, value: unknown, seconds: number) => (
      keys.push(key),
      store.set(key, value, seconds)
    ),
  }
  const ask = (id: string) =>
    connectorFor(row('sentinelhub', 'hls_l30'), {
      ...{ credentials: credentialsOf(id), send: hub().send, store: listening },
    }).search({ bbox: BOX_A, interval, bands: ['Red'] })
  const [a, b] = [await ask('first'), await ask('second')]
  expect(b).toEqual(a)
  expect(keys).toHaveLength(1)
  expect(keys[0]).toHaveLength(createHash('sha256').update('').digest('hex').length)
})
