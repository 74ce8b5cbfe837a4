import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PutBucketCorsCommand, S3Client } from '@aws-sdk/client-s3'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Client, type Process, type Service, startService } from '../support/api.ts'
import { coloursOnMap, mapOf, openTab, openView, signIn, startBrowser } from '../support/browser.ts'
import { startMapServer } from '../support/geoserver/mapserver.ts'
import { type Geoserver, startGeoserver } from '../support/geoserver/server.ts'
import { wms } from '../support/geoserver/wms.ts'
import { geotiff, lakeScene } from '../support/geotiff.ts'
import { weightedSum } from '../support/onnx.ts'
import { startS3, type TestS3 } from '../support/services.ts'

let browser: Browser
let s3: TestS3
let maps: Awaited<ReturnType<typeof startMapServer>>
let geoserver: Geoserver
let basemap: Server
let service: Service
let api: Process
let anna: Client

const SIZE = 96
const WATER = [0x45, 0x89, 0xff]
/** Of lakeScene: the lake's middle, the land in a corner; beside the scene is the base map alone. */
const LAKE = [600_000 + SIZE * 5, 4_300_000 - SIZE * 5] as const
const SHORE = [600_000 + SIZE, 4_300_000 - SIZE] as const
/** 2 m within the scene, in the outer half of its outermost pixels, and between the names of the graticule. */
const RIGHT = [600_000 + SIZE * 10 - 2, 4_300_000 - SIZE * 5] as const
const LOWER = [600_000 + SIZE * 4.4, 4_300_000 - SIZE * 10 + 2] as const
const BESIDE = [600_000 - SIZE, 4_300_000 - SIZE * 5] as const

/** Digital numbers of a scene of land alone. */
const drought = (band: number): number =>
  [1150, 900, 850, 620, 1100, 2500, 3100, 3200, 3400, 1100, 15, 1700, 850][band]!

/** A base map of one colour. */
const BASE = [0xc8, 0x28, 0xa0]
const TILE = `<svg xmlns="http://www.w3.org/2000/svg" width="256" height="256"><rect width="256" height="256" fill="#c828a0"/></svg>`
const tiles = async (): Promise<Server> => {
  const server = createServer((_, answer) =>
    answer
      .writeHead(200, { 'Content-Type': 'image/svg+xml', 'Access-Control-Allow-Origin': '*' })
      .end(TILE),
  )
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return server
}

/** What docs/operations.md asks of a bucket, so that the page may read and write it. */
const allowPage = async (): Promise<void> => {
  const client = new S3Client({
    ...{ endpoint: s3.endpoint, region: s3.region, forcePathStyle: true },
    credentials: { accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey },
  })
  const rule = { AllowedMethods: ['GET', 'HEAD', 'PUT'], AllowedHeaders: ['*'] }
  const ExposeHeaders = ['Content-Range', 'Content-Length', 'ETag']
  const CORSRules = [{ ...rule, AllowedOrigins: [api.url], ExposeHeaders }]
  const CORSConfiguration = { CORSRules }
  await client.send(new PutBucketCorsCommand({ Bucket: s3.bucket, CORSConfiguration }))
  client.destroy()
}

beforeAll(async () => {
  browser = await startBrowser()
  s3 = await startS3()
  maps = await startMapServer()
  geoserver = await startGeoserver({ ows: wms(maps) })
  basemap = await tiles()
  const { port } = basemap.address() as AddressInfo
  service = await startService({
    ...s3.settings,
    ...{ GEOSERVER_URL: geoserver.url, GEOSERVER_USERNAME: 'admin' },
    ...{ GEOSERVER_PASSWORD: 'geoserver', BASEMAP_ATTRIBUTION: 'Tiles <b>of</b> the test' },
    BASEMAP_URL: `http://127.0.0.1:${port}/{z}/{x}/{y}.svg`,
  })
  api = await service.launch('start')
  anna = await service.client(api.url, 'anna@example.org')
  await allowPage()
})
afterAll(async () => {
  await browser?.close()
  await service?.close()
  geoserver?.close()
  basemap?.close()
  await maps?.stop()
  await s3?.stop()
})

/** tiny-water that shows its chance of land as a ramp besides. */
const rampModel = async (): Promise<string> => {
  const [shipped] = (await anna.get('/v2/models?internal_name=tiny-water')).body.results
  const ramp = {
    ...{ workspace: 'geofm', layer_name: 'chance', display_name: 'Chance of land' },
    ...{ filepath_key: 'model_output_probabilities', z_index: 2, visible_by_default: 'False' },
    geoserver_style: {
      regression: [
        { color: '#ff0000', label: 'none', opacity: 1, quantity: 0 },
        { color: '#00ff00', label: 'sure', opacity: 1, quantity: 1 },
      ],
    },
  }
  const { status, body } = await anna.post('/v2/models', {
    ...{ ...shipped, display_name: 'ramp-water' },
    inference: { ...shipped.inference, output_on_inference: ['prediction', 'probabilities'] },
    geoserver_push: [...shipped.geoserver_push, ramp],
  })
  expect([status, body.id], JSON.stringify(body)).toEqual([201, expect.anything()])
  return body.id
}

const at = (points: Record<string, readonly [number, number]>, page: Page) =>
  coloursOnMap(browser, page, Object.values(points))
const isWater = ([colour]: number[][]) => String(colour) === String(WATER)

test('two days in S3 over the operator’s base map: slider, ramp, swipe, WMS of a day', async () => {
  const { page, context, problems } = await openTab(browser)
  await signIn(page, api.url, anna.key)
  await openView(page, `new?model=${await rampModel()}`, 'New run')
  await page.getByLabel('GeoTIFF files').setInputFiles([
    { name: '2024-06-10_lake.tif', mimeType: 'image/tiff', buffer: lakeScene(11, SIZE) },
    { name: 'dry 20240620.tif', mimeType: 'image/tiff', buffer: geotiff(SIZE, 13, drought) },
  ])
  await page.getByLabel('Name of the place').fill('Two days')
  await page.getByLabel('What would run').getByText('2024-06-10, 2024-06-20').waitFor()
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await page.getByRole('heading', { name: 'Two days', exact: true }).waitFor()
  await page.locator('.heading .status.good').waitFor({ timeout: 600_000 })
  const slider = page.getByRole('slider', { name: 'Date' })
  const seen = () => at({ LAKE, SHORE, BESIDE }, page)

  // The last day is shown first: there is no lake.
  await expect
    .poll(seen)
    .toSatisfy(
      (all) => !isWater(all) && String(all[2]) === String(BASE) && Math.max(...all[0]) < 120,
    )
  // The scene is of one colour to its edges.
  await expect
    .poll(() => at({ LAKE, RIGHT, LOWER }, page))
    .toSatisfy(([within, ...edges]) =>
      edges.every((edge: number[]) => edge.every((v, n) => Math.abs(v - within[n]) < 4)),
    )
  await slider.fill('0')
  await expect.poll(seen).toSatisfy(isWater)
  await page.getByLabel('Chance of land', { exact: true }).check()
  await expect
    .poll(seen)
    .toSatisfy(([lake, shore]) => lake[0] > 230 && lake[1] < 25 && shore[0] < 25 && shore[1] > 230)
  const legend = await page.locator('.layer', { hasText: 'Chance of land' }).last().textContent()
  expect(legend).toMatch(/none \(0\).*sure \(1\)/)

  // Right of the middle the layers, left of it the scene.
  await page.getByLabel('Swipe between').fill('50')
  const halves = { LEFT: [LAKE[0] - 100, LAKE[1]], RIGHT: [LAKE[0] + 100, LAKE[1]] } as const
  await expect
    .poll(() => at(halves, page))
    .toSatisfy(([left, right]) => Math.max(...left) < 120 && right[0] > 230)
  await page.getByLabel('Swipe between').fill('0')
  await page.getByLabel('Chance of land', { exact: true }).uncheck()
  await page.getByLabel('Water', { exact: true }).uncheck()
  await page.getByLabel('Water (GeoServer)', { exact: true }).check()
  await expect.poll(seen).toSatisfy(isWater)
  await slider.fill('1')
  await expect.poll(seen).toSatisfy((all) => !isWater(all))
  expect(problems).toEqual([])
  await context.close()
})

/** A model of biomass from two bands: half the first; `style` is what it names for its layer. */
const biomassModel = async (name: string, more: object): Promise<string> => {
  const { body: share } = await anna.get('/v2/file-share?object_name=biomass.onnx')
  const onnx = weightedSum([0.5, 0])
  await fetch(share.upload_url, { method: 'PUT', body: new Uint8Array(onnx) })
  const { status, body } = await anna.post('/v2/models', {
    ...{ display_name: name, description: 'Biomass', ...more },
    pipeline_steps: [
      { process_id: 'url-connector', step_number: 0 },
      { process_id: 'onnx-inference', step_number: 1 },
      { process_id: 'postprocess-generic', step_number: 2 },
    ],
    model_input_data_spec: [
      {
        bands: [
          { index: 0, band_name: 'red', RGB_band: 'R', scaling_factor: 1 },
          { index: 1, band_name: 'nir', scaling_factor: 1 },
        ],
      },
    ],
    inference: {
      weights: { url: share.download_url, sha256: createHash('sha256').update(onnx).digest('hex') },
      ...{ task: 'regression', tile: 64, overlap: 16, mean: [0, 0], std: [1, 1] },
    },
  })
  expect(status, JSON.stringify(body)).toBe(201)
  return body.id
}
/** Grows from west to east: 0 to 190 in the first band, so 0 to 95 as biomass. */
const slope = geotiff(SIZE, 2, (band, _, column) => (band === 0 ? column * 2 : 7))
const isNear = (seen: number[], wanted: number[]) =>
  wanted.every((value, n) => Math.abs(value - seen[n]!) < 12)

test('a regression: its ramp, its legend, its values; a model without a style is seen as well', async () => {
  const { body: share } = await anna.get('/v2/file-share?object_name=slope.tif')
  await fetch(share.upload_url, { method: 'PUT', body: new Uint8Array(slope) })
  const layer = { workspace: 'geofm', layer_name: 'agb', filepath_key: 'model_output_image' }
  const regression = [
    { color: '#ff0000', label: 'none', opacity: 1, quantity: 0 },
    { color: '#0000ff', label: 'dense', opacity: 1, quantity: 100 },
  ]
  const styled = { ...layer, display_name: 'Biomass', geoserver_style: { regression } }
  const channel = (label: string, channel: number, maxValue: number) => ({
    ...{ label, channel, minValue: 0, maxValue },
  })
  const turned = {
    ...{ ...layer, filepath_key: 'original_input_image', display_name: 'Delivered', z_index: 5 },
    visible_by_default: 'False',
    // Which colour is which the label says, not the band.
    geoserver_style: {
      rgb: [
        channel('BlueChannel', 1, 255),
        channel('GreenChannel', 1, 510),
        channel('RedChannel', 2, 7),
      ],
    },
  }
  const models = [
    await biomassModel('biomass', { geoserver_push: [styled, { ...turned, layer_name: 'in' }] }),
    await biomassModel('biomass-plain', {}),
  ]
  const { page, context, problems } = await openTab(browser)
  await signIn(page, api.url, anna.key)
  /** The first column but few and the last but few; the middle. */
  const points = {
    WEST: [600_000 + 25, LAKE[1]],
    MIDDLE: [600_000 + SIZE * 5 + 5, LAKE[1]],
    EAST: [600_000 + SIZE * 10 - 25, LAKE[1]],
  } as const
  const [own, plain] = await Promise.all(
    models.map(async (model_id, n) => {
      const asked = { spatial_domain: { urls: [share.download_url] }, temporal_domain: [] }
      const { body } = await anna.post('/v2/inference', {
        ...{ ...asked, model_id, location: `Slope ${n}` },
      })
      const { inference } = await anna.ended(body.id)
      expect(inference.status, JSON.stringify(inference.inference_output)).toBe('COMPLETED')
      return body.id as string
    }),
  )
  await openView(page, `runs/${own}`, 'Slope 0')
  await page.locator('.ramp', { hasText: 'none (0)' }).filter({ hasText: 'dense (100)' }).waitFor()
  await expect
    .poll(() => at(points, page))
    .toSatisfy(
      ([west, middle, east]) =>
        isNear(west!, [249, 0, 6]) && isNear(middle!, [133, 0, 122]) && isNear(east!, [13, 0, 242]),
    )
  const { at: place } = await mapOf(page)
  await page.mouse.move(...place(points.MIDDLE))
  await page.locator('.reading', { hasText: 'Biomass 48' }).waitFor()
  await page.getByLabel('Delivered', { exact: true }).check()
  await expect
    .poll(() => at(points, page))
    .toSatisfy(([, middle]) => isNear(middle!, [255, 48, 96]))

  await openView(page, `runs/${plain}`, 'Slope 1')
  const ramp = page.locator('.layer', { hasText: 'Prediction' }).locator('.ramp')
  await expect.poll(() => ramp.textContent()).toMatch(/^0\s*95$/)
  await expect
    .poll(() => at(points, page))
    .toSatisfy(
      ([west, middle, east]) =>
        isNear(west!, [0x44, 6, 0x58]) &&
        isNear(middle!, [0x21, 0x91, 0x8c]) &&
        isNear(east!, [0xf5, 0xe4, 0x28]),
    )
  expect(problems).toEqual([])
  await context.close()
})

test('a drawn box and polygon, typed edges, GeoJSON and MGRS tiles are what is planned', async () => {
  const { page, context, problems } = await openTab(browser)
  let domain: any
  page.on('request', (request) => {
    if (request.url().endsWith('/dry-run')) domain = request.postDataJSON().spatial_domain
  })
  await signIn(page, api.url, anna.key)
  await openView(page, 'new', 'New run')
  await page.getByLabel('Model', { exact: true }).selectOption({ label: 'tiny-water v1' })
  await page.getByRole('radio', { name: 'Draw' }).check({ force: true })
  await page.getByLabel('From', { exact: true }).fill('2024-06-01')
  const map = page.locator('.map.draw')
  await map.locator('canvas').first().waitFor()
  await map.scrollIntoViewIfNeeded()
  const click = async (x: number, y: number) => {
    const box = (await map.boundingBox())!
    await page.mouse.move(box.x + x, box.y + y, { steps: 4 })
    await page.mouse.click(box.x + x, box.y + y)
  }
  await click(200, 100)
  await click(260, 130)
  await expect.poll(() => domain?.bbox?.length).toBe(1)
  const [west, south, east, north] = domain.bbox[0] as [number, number, number, number]
  const degrees = (east - west) / 60
  expect(degrees).toBeGreaterThan(0)
  expect(north).toBeGreaterThan(south)
  await expect
    .poll(() =>
      page.locator('.row.four input').evaluateAll((all: any[]) => all.map((one) => +one.value)),
    )
    .toEqual([west, south, east, north])

  await page.getByRole('radio', { name: 'Polygon', exact: true }).check({ force: true })
  await click(400, 100)
  await click(460, 130)
  // What is half drawn outlasts an answer of the planner.
  const answered = page.waitForResponse((answer) => answer.url().endsWith('/dry-run'))
  await page.getByLabel('Name of the place').fill('Here')
  await answered
  await map.scrollIntoViewIfNeeded()
  await click(400, 130)
  await click(400, 100)
  await expect.poll(() => domain.polygons?.length).toBe(1)
  const { coordinates } = domain.polygons[0]
  const [left, right] = [400, 460].map((x) => west + (x - 200) * degrees) as [number, number]
  const corners = [
    [left, north],
    [right, south],
    [left, south],
    [left, north],
  ]
  expect(coordinates[0].flat()).toHaveLength(8)
  for (const [n, value] of corners.flat().entries())
    expect(coordinates[0].flat()[n]).toBeCloseTo(value, 3)

  for (const [name, value] of Object.entries({
    West: '10',
    South: '45',
    East: '10.5',
    North: '45.5',
  }))
    await page.getByLabel(name, { exact: true }).fill(value)
  await expect.poll(() => domain.bbox).toEqual([[10, 45, 10.5, 45.5]])
  await page.getByLabel('East', { exact: true }).fill('9')
  await page.getByText('West must lie below East.').waitFor()

  await page.getByRole('radio', { name: 'GeoJSON' }).check({ force: true })
  await page.locator('textarea').fill('{"type":')
  await page.getByText('This is not JSON').waitFor()
  const geometry = {
    type: 'Polygon',
    coordinates: [
      [
        [10, 45],
        [10.1, 45],
        [10.1, 45.1],
        [10, 45],
      ],
    ],
  }
  await page.locator('textarea').fill(JSON.stringify({ type: 'Feature', properties: {}, geometry }))
  await expect.poll(() => domain).toEqual({ polygons: [geometry] })
  await page.getByRole('radio', { name: 'MGRS tiles' }).check({ force: true })
  await page.getByRole('textbox', { name: 'MGRS tiles' }).fill('30sxh 31TCJ')
  await expect.poll(() => domain).toEqual({ tiles: ['30SXH', '31TCJ'] })
  await page.getByText('connector.missing_credentials').waitFor()
  expect(problems).toEqual([])
  await context.close()
})
