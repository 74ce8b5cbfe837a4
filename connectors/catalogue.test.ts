import { expect, test } from 'vitest'
import { findRow, listed, ROWS, rowOf } from './catalogue.ts'
import { connectorFor } from './connector.ts'
import { bandName, bandSource } from './freeze.ts'
import { parseCatalogues, rowsWith } from './operator.ts'

const LULC = 'SCL/sentinel2_lulc'
test('the ten sources that existing clients know, column by column', () => {
  const mask = (one: { band: string; encoding: string } | null) =>
    one && `${one.band}/${one.encoding}`
  const table = listed().map((one) => [
    ...[one.connector, one.collection_name, one.resolution_m, one.modality_tag],
    ...[one.rgb_bands?.join() ?? null, mask(one.cloud_masking), mask(one.permanent_water_masking)],
  ])
  const [esa, names] = ['B04,B03,B02', 'Red,Green,Blue']
  const scl = 'SCL/sentinel2_scl'
  expect(table.sort()).toEqual(
    [
      ['sentinelhub', 's2_l1c', 10, 'S2L1C', esa, null, LULC],
      ['sentinelhub', 's2_l2a', 10, 'S2L2A', esa, scl, LULC],
      ['sentinelhub', 's1_grd', 10, 'S1GRD', null, null, null],
      ['sentinelhub', 'dem', null, 'DEM', null, null, null],
      ['sentinelhub', 'hls_l30', 30, 'HLS_L30', names, 'QA/hls_fmask', LULC],
      ['sentinelhub', 'hls_s30', 30, 'HLS_S30', names, 'QA/hls_fmask', LULC],
      ['sentinel_aws', 'sentinel-2-l2a', 10, 'S2L2A', 'red,green,blue', scl, LULC],
      ['nasa_earthdata', 'HLSS30_2.0', 30, 'HLS_S30', esa, 'Fmask/hls_fmask', null],
      ['nasa_earthdata', 'HLSL30_2.0', 30, 'HLS_L30', esa, 'Fmask/hls_fmask', null],
      ['TheWeatherCompany', 'weathercompany-daily-forecast', 10, 'HLS_L30', null, null, null],
    ].sort(),
  )
})

test('every source is whole: an id of its own, bands that its masks and colours name', () => {
  expect(new Set(ROWS.map(({ source }) => source.id)).size).toBe(ROWS.length)
  expect(findRow('sentinel_aws', 'sentinel-2-l2a')!.source.id).toBe(
    '04f16b56-090f-4c04-91dc-a8d1e7d7f87d',
  )
  for (const row of ROWS) {
    const { bands, rgb_bands, cloud_masking } = row.source
    const names = bands.map(({ band_name }) => band_name)
    expect(new Set(names).size).toBe(names.length)
    for (const name of rgb_bands ?? []) expect(names).toContain(name)
    if (cloud_masking) expect(bandSource(row, cloud_masking.band).class_band).toBe(true)
    if (row.search) expect(row.hosts.length).toBeGreaterThan(0)
  }
})

test('bands as the archives have them: no scale on flags, degrees on thermal bands', () => {
  const namesOf = (connector: string, collection: string) =>
    rowOf(connector, collection).source.bands.map(({ band_name }) => band_name)
  const scaleOf = (collection: string, name: string) =>
    rowOf('nasa_earthdata', collection).source.bands.find(({ band_name }) => band_name === name)!
      .scale_factor
  expect(namesOf('sentinelhub', 's1_grd')).toEqual(['VV', 'VH', 'HV', 'HH'])
  expect(namesOf('sentinelhub', 's2_l2a')).toEqual(expect.arrayContaining(['SNW', 'CLD']))
  expect(namesOf('sentinelhub', 's2_l1c')).toContain('B10')
  expect(namesOf('sentinelhub', 's2_l2a')).not.toContain('B10')
  expect(namesOf('nasa_earthdata', 'HLSS30_2.0')).toHaveLength(14)
  expect(namesOf('nasa_earthdata', 'HLSL30_2.0')).toHaveLength(11)
  expect(scaleOf('HLSS30_2.0', 'Fmask')).toBeUndefined()
  expect([scaleOf('HLSL30_2.0', 'B04'), scaleOf('HLSL30_2.0', 'B10')]).toEqual([0.0001, 0.01])
  expect(namesOf('TheWeatherCompany', 'weathercompany-daily-forecast')).toHaveLength(38)
})

test.each([
  ['B02', 'blue'],
  ['blue', 'blue'],
  ['SCL', 'scl'],
  ['Blue', 'blue'],
  ['b8a', 'nir08'],
])('%s is %s of Earth Search', (name, own) => {
  expect(bandName(findRow('sentinel_aws', 'sentinel-2-l2a')!, name)).toBe(own)
})

test.each([
  ['nowhere', 'x', /connectors are sentinelhub, /],
  ['nasa_earthdata', 's2', /has HLSS30_2.0, HLSL30_2.0/],
])('%s/%s is unknown, with what there is', (connector, collection, text) => {
  expect(() => rowOf(connector, collection)).toThrow(text)
})

test.each([
  ['sentinelhub', 's2_l2a', /connector.missing_credentials.*SH_CLIENT_ID and SH_CLIENT_SECRET/],
  ['nasa_earthdata', 'HLSS30_2.0', /connector.missing_credentials.*NASA_EARTH_BEARER_TOKEN/],
  ['cdse', 'sentinel-2-l2a', /connector.missing_credentials.*CDSE_S3_ACCESS_KEY_ID/],
  ['TheWeatherCompany', 'weathercompany-daily-forecast', /connector.not_searchable/],
])('%s/%s without an account is refused before a search', (connector, collection, text) => {
  expect(() => connectorFor(rowOf(connector, collection))).toThrow(text)
})

const mine = {
  ...{ connector: 'mine', url: 'https://stac.example.org/v1/', hosts: ['data.example.org'] },
  collections: [
    {
      ...{ collection_name: 'ortho', modality_tag: 'ORTHO', resolution_m: 0.2, nodata: 0 },
      bands: [
        { band_name: 'red', RGB_band: 'R', assets: ['image'] },
        { band_name: 'green', RGB_band: 'G' },
        { band_name: 'blue', RGB_band: 'B' },
        { band_name: 'mask', class_band: true, nodata: null },
      ],
    },
  ],
}
const rowsOf = (...definitions: object[]) => rowsWith(parseCatalogues(JSON.stringify(definitions)))

test("an operator's own catalogue is a row like any other", () => {
  const row = findRow('mine', 'ortho', rowsOf(mine))!
  expect(row).toMatchObject({ account: 'none', listed: true, hosts: ['data.example.org'] })
  expect(row.search).toMatchObject({ url: 'https://stac.example.org/v1', collection: 'ortho' })
  expect(row.source.rgb_bands).toEqual(['red', 'green', 'blue'])
  expect(row.bands.red).toMatchObject({ assets: ['image'], nodata: 0, gsd: 0.2 })
  expect(row.bands.mask).toMatchObject({ class_band: true, nodata: null })
  expect(row.source.id).toBe(findRow('mine', 'ortho', rowsOf(mine))!.source.id)
})

test('a known connector is searched elsewhere: its bands stay, its account does not', () => {
  const rows = rowsOf({
    ...{ connector: 'nasa_earthdata', url: 'http://10.0.0.5:8080/stac' },
    ...{ hosts: ['10.0.0.5'], private_hosts: true },
  })
  expect(rows).toHaveLength(ROWS.length)
  const row = findRow('nasa_earthdata', 'HLSL30_2.0', rows)!
  expect(row).toMatchObject({ account: 'none', private_hosts: true, hosts: ['10.0.0.5'] })
  expect(row.search!.url).toBe('http://10.0.0.5:8080/stac')
  expect(row.source).toEqual(findRow('nasa_earthdata', 'HLSL30_2.0')!.source)
  expect(() => connectorFor(row)).not.toThrow()
})

test.each([
  ['nonsense', /must be a JSON list/],
  ['{}', /document: /],
  [[{ ...mine, collections: undefined }], /0.collections: mine is new/],
  [[{ ...mine, connector: 'sentinel_aws' }], /0.connector: sentinel_aws is built in/],
  [[mine, mine], /1.connector: mine stands twice/],
  [[{ ...mine, url: 'http://stac.example.org' }], /0.url: must be https/],
  [[{ ...mine, url: 'file:///etc' }], /0.url/],
  [[{ ...mine, hosts: [], private_hosts: true }], /0.hosts: private hosts are listed/],
  [[{ ...mine, hosts: ['https://x.org/'] }], /0.hosts.0: a host name/],
  [[{ ...mine, tokn: true }], /tokn/],
  [[{ ...mine, collections: [{ collection_name: 'x' }] }], /0.collections.0.modality_tag/],
])('a definition of %j is refused with its field', (given, text) => {
  const written = typeof given === 'string' ? given : JSON.stringify(given)
  expect(() => parseCatalogues(written)).toThrow(text)
})

test('another Sentinel Hub: its catalogue, its tokens, the same account', () => {
  const rows = rowsOf({
    ...{ connector: 'sentinelhub', url: 'https://sh.example.eu/api/v1/catalog/1.0.0' },
    token_url: 'https://identity.example.eu/token',
  })
  const row = findRow('sentinelhub', 's2_l2a', rows)!
  expect(row).toMatchObject({ account: 'sentinelhub', hosts: ['sh.example.eu'] })
  expect(row.search).toMatchObject({
    ...{ kind: 'sentinelhub', token_url: 'https://identity.example.eu/token' },
  })
  expect(() => connectorFor(row)).toThrow(/SH_CLIENT_ID/)
})
