import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Client, type Process, type Service, slow, startService } from '../support/api.ts'
import {
  axe,
  coloursOnMap,
  mapOf,
  openTab,
  openView,
  signIn,
  startBrowser,
  wholeView,
} from '../support/browser.ts'
import { lakeScene } from '../support/geotiff.ts'

let service: Service
let api: Process
let anna: Client
let bob: Client
let browser: Browser
let finished: string | undefined

const SIZE = 96
const scene = { name: 'lake <b>.tif', mimeType: 'image/tiff', buffer: lakeScene(11, SIZE) }
/** Of lakeScene: a lake of a quarter of the width in the middle; 10 m from 600000, 4300000. */
const lake = [600_000 + SIZE * 5, 4_300_000 - SIZE * 5] as const
const shore = [600_000 + SIZE, 4_300_000 - SIZE] as const

beforeAll(async () => {
  browser = await startBrowser()
  service = await startService({ RUNNER_CONCURRENCY: '2' })
  api = await service.launch('start')
  anna = await service.client(api.url, 'anna@example.org')
  bob = await service.client(api.url, 'bob@example.org')
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

/** A run of Anna's that has ended well: the first test's, or one of its own. */
const finishedRun = async (): Promise<string> => {
  if (finished) return finished
  const id = await run(await upload(), { location: 'The lake', temporal_domain: ['2024-08-12'] })
  expect((await anna.ended(id)).inference.status).toBe('COMPLETED')
  return (finished = id)
}

test('sign in, drop a scene, choose a model, see what would run, watch it, see water on the map', async () => {
  const { page, context, problems } = await openTab(browser)
  await page.goto(api.url)
  await page.getByLabel('API key').fill('pak-wrong')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('x-api-key provided is invalid or inactive.').waitFor()
  expect(await axe(page)).toEqual([])

  await page.getByLabel('API key').fill(anna.key)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('link', { name: 'New run' }).first().click()
  // The list of runs has a field Model too, and stands until the browser has told of the new hash.
  await wholeView(page, 'New run')
  await page.getByLabel('Model', { exact: true }).selectOption({ label: 'tiny-water v1' })
  await page.getByText('208 k parameters').waitFor()
  await page.getByLabel('GeoTIFF files').setInputFiles(scene)
  await page.getByLabel('Date of the scene').fill('2024-08-12')
  await page.getByLabel('Name of the place').fill('The lake')
  const plan = page.getByLabel('What would run')
  await page.getByText('Uploaded', { exact: true }).waitFor()
  await plan.getByText('2024-08-12').waitFor()
  // The place's name asks the planner again: what stands there is pale until it has answered.
  await wholeView(page, 'New run')
  expect(await plan.textContent()).toMatch(/tasks\s*1/)
  expect(await axe(page)).toEqual([])
  await page.getByRole('button', { name: 'Start', exact: true }).click()

  await page.getByRole('heading', { name: 'The lake', exact: true }).waitFor()
  const id = page.url().split('/').at(-1)!
  // Live: nothing is opened again between the start and the end.
  await page.locator('.heading .status.good').waitFor({ timeout: 600_000 })
  finished = id
  const { crs, at } = await mapOf(page)
  expect(crs).toBe('EPSG:32630')
  const water = [0x45, 0x89, 0xff]
  const seen = () => coloursOnMap(browser, page, [lake, shore])
  await expect
    .poll(seen)
    .toSatisfy(([wet, dry]) => String(wet) === String(water) && Math.max(...dry) < 120)

  await page.mouse.move(...at([lake[0] + 20, lake[1] + 20]))
  await page.locator('.reading', { hasText: 'Water (1)' }).waitFor()
  await page.getByLabel('Swipe between').fill('100')
  // Only the scene is left, dark where the lake is.
  await expect.poll(async () => Math.max(...(await seen())[0]!)).toBeLessThan(120)
  const legend = await page.locator('.legend').textContent()
  const items = (await anna.get(`/v2/tasks/${id}-task_0/output`)).body.assets
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
  // The browser itself reports the answer 401 to the wrong key.
  expect(problems.filter((text) => !/401.*\/v2\/page$/.test(text))).toEqual([])
  // Another tab has no key: it was this tab's.
  const other = await context.newPage()
  await other.goto(api.url)
  await other.getByLabel('API key').waitFor()
  await context.close()
})

test('another user sees nothing of a run', async () => {
  const id = await finishedRun()
  const { page, context, problems } = await openTab(browser)
  await signIn(page, api.url, bob.key)
  await page.getByText('No run yet').waitFor()
  await openView(page, `runs/${id}`, 'Run')
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
  await openView(page, `runs/${id}`, 'Slow place')
  const log = page.getByLabel('Log of generic-python-processor', { exact: true })
  await page
    .locator('.step', { hasText: 'generic-python-processor' })
    .locator('.status.busy')
    .waitFor({ timeout: 600_000 })
  await log.click()
  await page.locator('.log', { hasText: 'tick 2' }).waitFor()
  // By the keyboard: a question that is not answered gives the focus back.
  const remove = page.getByRole('button', { name: 'Delete', exact: true })
  await remove.focus()
  await page.keyboard.press('Enter')
  await page.getByRole('group', { name: 'Its files go too.' }).waitFor()
  await page.keyboard.press('Escape')
  await expect.poll(() => remove.evaluate((button) => button === document.activeElement)).toBe(true)
  await page.getByRole('button', { name: 'Cancel', exact: true }).click()
  await page.getByRole('group', { name: 'Its tasks stop.' }).getByText('Cancel').click()
  await page.locator('.heading .status', { hasText: 'Stopped' }).waitFor()
  expect(await axe(page)).toEqual([])

  await page.getByRole('link', { name: 'Runs', exact: true }).click()
  await wholeView(page, 'Runs')
  await page.getByLabel('Status', { exact: true }).selectOption('STOPPED')
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
  await openView(page, `runs/${id}`, 'broken.tif')
  await page.locator('.heading .status.bad').waitFor({ timeout: 600_000 })
  const { inference } = await anna.ended(id)
  const [error] = inference.inference_output.errors
  const alert = page.getByRole('alert', { name: 'What went wrong' })
  expect(await alert.textContent()).toContain(error.code)
  expect(await alert.textContent()).toContain(error.message)
  expect(await axe(page)).toEqual([])
  expect(problems).toEqual([])
  await context.close()
})

test('a start whose answer was lost is done once', async () => {
  const { page, context } = await openTab(browser)
  await signIn(page, api.url, anna.key)
  await openView(page, 'new', 'New run')
  await page.getByLabel('Model', { exact: true }).selectOption({ label: 'tiny-water v1' })
  await page.getByLabel('URLs of scenes').fill('https://h.example.org/a.tif')
  await page.getByLabel('Name of the place').fill('Once')
  let lost = 0
  await page.route('**/v2/inference', async (route) => {
    if (route.request().method() !== 'POST' || lost++) return route.continue()
    await route.fetch()
    return route.abort()
  })
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await page.getByText('The server does not answer').first().waitFor()
  await page.getByRole('button', { name: 'Start', exact: true }).click()
  await wholeView(page, 'Once')
  expect((await anna.get('/v2/inference?location=Once')).body.total_records).toBe(1)
  await context.close()
})

test('every view, dark and on a phone: nothing that axe finds, nothing wider than the screen', async () => {
  const id = await finishedRun()
  for (const options of [
    { colorScheme: 'dark' as const },
    { viewport: { width: 390, height: 844 } },
  ]) {
    const { page, context, problems } = await openTab(browser, options)
    await signIn(page, api.url, anna.key)
    for (const [view, heading] of [
      ['runs', 'Runs'],
      [`runs/${id}`, 'The lake'],
      ['new', 'New run'],
      ['models', 'Models'],
      ['processors', 'Processors'],
      ['groups', 'Groups'],
      ['keys', 'API keys'],
    ] as const) {
      await openView(page, view, heading)
      if (view.startsWith('runs/')) await mapOf(page)
      expect(await axe(page), view).toEqual([])
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      expect(wide, view).toBeLessThanOrEqual(0)
    }
    expect(problems).toEqual([])
    await context.close()
  }
})
