import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Client, type Process, type Service, slow, startService } from '../support/api.ts'
import { axe, coloursAt, mapOf, openTab, signIn, startBrowser } from '../support/browser.ts'
import { lakeScene } from '../support/geotiff.ts'

let service: Service
let api: Process
let anna: Client
let bob: Client
let browser: Browser
let finished: string

const SIZE = 96
const scene = { name: 'lake <b>.tif', mimeType: 'image/tiff', buffer: lakeScene(11, SIZE) }
/** Of lakeScene: a lake of a quarter of the width in the middle; 10 m from 600000, 4300000. */
const lake = [600_000 + SIZE * 5, 4_300_000 - SIZE * 5] as const
const shore = [600_000 + SIZE, 4_300_000 - SIZE] as const

beforeAll(async () => {
  service = await startService({ RUNNER_CONCURRENCY: '2' })
  api = await service.launch('start')
  anna = await service.client(api.url, 'anna@example.org')
  bob = await service.client(api.url, 'bob@example.org')
  browser = await startBrowser()
})
afterAll(async () => {
  await browser?.close()
  await service?.close()
})

const upload = async (name = 'scene.tif', buffer = scene.buffer): Promise<string> => {
  const { body } = await anna.get(`/v2/file-share?object_name=${name}`)
  await fetch(body.upload_url, { method: 'PUT', body: new Uint8Array(buffer) })
  return body.download_url
}
const run = async (url: string, more: object = {}): Promise<string> => {
  const { body } = await anna.post('/v2/inference', {
    ...{ model_display_name: 'tiny-water', spatial_domain: { urls: [url] }, temporal_domain: [] },
    ...more,
  })
  return body.id
}

test('sign in, drop a scene, choose a model, see what would run, watch it, see water on the map', async () => {
  const { page, context, problems } = await openTab(browser)
  await page.goto(api.url)
  await page.getByLabel('API key').fill('pak-wrong')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('x-api-key provided is invalid or inactive.').waitFor()
  expect(await axe(page)).toEqual([])
  // The browser itself reports the two answers 401.
  expect(problems.filter((text) => !text.includes('401'))).toEqual([])
  problems.length = 0

  await page.getByLabel('API key').fill(anna.key)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('link', { name: 'New run' }).first().click()
  // The list of runs has a field Model too, and stands until the browser has told of the new hash.
  await page.getByRole('heading', { name: 'New run' }).waitFor()
  await page.getByLabel('Model').selectOption({ label: 'tiny-water v1' })
  await page.getByText('208 k parameters').waitFor()
  await page.getByLabel('GeoTIFF files').setInputFiles(scene)
  await page.getByLabel('Date of the scene').fill('2024-08-12')
  await page.getByLabel('Name of the place').fill('The lake')
  const plan = page.getByLabel('What would run')
  await plan.getByText('2024-08-12').waitFor()
  expect(await plan.textContent()).toMatch(/tasks\s*1/)
  expect(await axe(page)).toEqual([])
  await page.getByRole('button', { name: 'Start' }).click()

  await page.getByRole('heading', { name: 'The lake' }).waitFor()
  finished = page.url().split('/').at(-1)!
  // Live: nothing is opened again between the start and the end.
  await page.locator('.heading .status.good').waitFor({ timeout: 600_000 })
  const { crs, at } = await mapOf(page)
  expect(crs).toBe('EPSG:32630')
  const picture = await page.screenshot()
  const [water, land] = await coloursAt(browser, picture, [at(lake), at(shore)])
  expect(water).toEqual([0x45, 0x89, 0xff])
  expect(Math.max(...land!)).toBeLessThan(120)

  await page.mouse.move(...at([lake[0] + 20, lake[1] + 20]))
  await page.locator('.reading', { hasText: 'Water (1)' }).waitFor()
  await page.getByLabel('Swipe between').fill('100')
  const swiped = await coloursAt(browser, await page.screenshot(), [at(lake)])
  expect(swiped[0]).not.toEqual(water)
  const legend = await page.locator('.legend').textContent()
  const items = (await anna.get(`/v2/tasks/${finished}-task_0/output`)).body.assets
  const csv = await (await fetch(items.statistics.href)).text()
  const share = Number(/Water,\d+,([\d.]+)/.exec(csv)![1])
  expect(legend).toContain(`${(share * 100).toFixed(1)} %`)
  expect(await axe(page)).toEqual([])

  const [archive] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Archive' }).click(),
  ])
  expect(archive.suggestedFilename()).toBe('archive.zip')
  const [layers] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'QGIS layers' }).click(),
  ])
  expect(layers.suggestedFilename()).toMatch(/\.qlr$/)
  expect(problems).toEqual([])
  // Another tab has no key: it was this tab's.
  const other = await context.newPage()
  await other.goto(api.url)
  await other.getByLabel('API key').waitFor()
  await context.close()
})

test('another user sees nothing of a run', async () => {
  const { page, context, problems } = await openTab(browser)
  await signIn(page, api.url, bob.key)
  await page.getByText('No run yet').waitFor()
  await page.goto(`${api.url}/#/runs/${finished}`)
  await page.getByText('There is no such run, or it is not shared with you.').waitFor()
  expect(await page.locator('#main').textContent()).not.toContain('The lake')
  expect(problems.filter((text) => !text.includes('404'))).toEqual([])
  await context.close()
})

test('cancel stops a run while its log is read; the list filters', async () => {
  const { body } = await anna.processor(slow(300), 'slow.py')
  const id = await run(await upload(), { generic_processor_id: body.id, location: 'Slow place' })
  const { page, context, problems } = await openTab(browser)
  await signIn(page, api.url, anna.key)
  await page.goto(`${api.url}/#/runs/${id}`)
  const log = page.getByLabel('Log of generic-python-processor', { exact: true })
  await page
    .locator('.step', { hasText: 'generic-python-processor' })
    .locator('.status.busy')
    .waitFor({ timeout: 300_000 })
  await log.click()
  await page.locator('.log', { hasText: 'tick 2' }).waitFor({ timeout: 240_000 })
  await page.getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('group', { name: 'Its tasks stop.' }).getByText('Cancel').click()
  await page.locator('.heading .status', { hasText: 'Stopped' }).waitFor({ timeout: 60_000 })
  expect(await axe(page)).toEqual([])

  await page.getByRole('link', { name: 'Runs' }).click()
  await page.getByRole('heading', { name: 'Runs' }).waitFor()
  await page.getByLabel('Status').selectOption('STOPPED')
  await page.getByLabel('Place or description').fill('slow PLACE')
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1)
  await page.getByLabel('Place or description').fill('100%')
  await page.getByText('No run fits these filters.').waitFor()
  expect(problems).toEqual([])
  await context.close()
})

test('a failed run shows its code and its cure', async () => {
  const id = await run(await upload('broken.tif', Buffer.from('no raster at all')))
  const { page, context, problems } = await openTab(browser)
  await signIn(page, api.url, anna.key)
  await page.goto(`${api.url}/#/runs/${id}`)
  await page.locator('.heading .status.bad').waitFor({ timeout: 300_000 })
  const { inference } = await anna.ended(id)
  const [error] = inference.inference_output.errors
  const alert = page.getByRole('alert', { name: 'What went wrong' })
  expect(await alert.textContent()).toContain(error.code)
  expect(await alert.textContent()).toContain(error.message)
  expect(await axe(page)).toEqual([])
  expect(problems).toEqual([])
  await context.close()
})

test('every view, dark and on a phone: nothing that axe finds, nothing wider than the screen', async () => {
  for (const options of [
    { colorScheme: 'dark' as const },
    { viewport: { width: 390, height: 844 } },
  ]) {
    const { page, context, problems } = await openTab(browser, options)
    await signIn(page, api.url, anna.key)
    for (const view of [
      'runs',
      `runs/${finished}`,
      'new',
      'models',
      'processors',
      'groups',
      'keys',
    ]) {
      await page.goto(`${api.url}/#/${view}`)
      await page.locator('main h1').first().waitFor()
      await page.waitForFunction(
        () => !document.querySelector('main')!.textContent!.includes('Loading'),
      )
      expect(await axe(page), view).toEqual([])
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      expect(wide, view).toBeLessThanOrEqual(0)
    }
    expect(problems).toEqual([])
    await context.close()
  }
})
