import { createServer, request } from 'node:http'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Client, type Process, type Service, startService } from '../support/api.ts'
import { axe, openTab, openView, signIn, startBrowser, wholeView } from '../support/browser.ts'
import { root } from '../support/engine.ts'

let service: Service
let api: Process
let anna: Client
let browser: Browser

beforeAll(async () => {
  browser = await startBrowser()
  service = await startService()
  api = await service.launch('api')
  anna = await service.client(api.url, 'anna@example.org')
})
afterAll(async () => {
  await browser?.close()
  await service?.close()
})

const html = { Accept: 'text/html' }
const BAD = `<script>window.ran=1</script><img src=x onerror="window.ran=1"><svg onload="window.ran=1">`
const asked = { spatial_domain: { urls: ['https://h.example.org/a.tif'] }, temporal_domain: [] }

test('the page has a strict policy, and relative URLs; who asks for no HTML is sent to /docs', async () => {
  const answer = await fetch(`${api.url}/`, { headers: html })
  const policy = answer.headers.get('content-security-policy')!
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
  expect(policy).not.toMatch(/unsafe|\*/)
  expect(policy).toContain("frame-ancestors 'none'")
  const text = await answer.text()
  const links = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link!)
  expect(links.length).toBeGreaterThan(2)
  for (const link of links) expect(link).toMatch(/^\.\//)
  expect(text).not.toMatch(/<script(?![^>]*src=)|\sstyle=|\son\w+=/)
  const plain = await fetch(`${api.url}/`, { redirect: 'manual' })
  expect([plain.status, plain.headers.get('location')]).toEqual([307, '/docs'])
  const mount = await fetch(`${api.url}/studio-gateway`, { headers: html, redirect: 'manual' })
  expect(mount.headers.get('location')).toBe('studio-gateway/')
  expect((await fetch(`${api.url}/docs`)).status).toBe(200)
  for (const path of [
    '/assets/../../package.json',
    '/assets/%2e%2e/%2e%2e/package.json',
    '/assets/no.js',
  ])
    expect((await fetch(api.url + path)).status).toBe(404)
})

test('less than 200 kB of JavaScript before the map, and no other host in any of it', async () => {
  const dist = join(root, 'web/dist')
  const text = readFileSync(join(dist, 'index.html'), 'utf8')
  const first = [...text.matchAll(/"\.\/(assets\/[^"]+\.js)"/g)].map(([, file]) => file!)
  const bytes = first.reduce((sum, file) => sum + statSync(join(dist, file)).size, 0)
  expect(bytes).toBeGreaterThan(10_000)
  expect(bytes).toBeLessThan(200_000)
  expect(readdirSync(join(dist, 'assets')).some((file) => /^run-map-.*\.js$/.test(file))).toBe(true)
  const { page, context } = await openTab(browser)
  const asks: string[] = []
  page.on('request', (request) => asks.push(request.url()))
  await signIn(page, api.url, anna.key)
  expect(asks.filter((url) => !url.startsWith(api.url))).toEqual([])
  expect(asks.some((url) => /map/.test(url))).toBe(false)
  await context.close()
})

/** A proxy that takes a path off, as one in front of several services does. */
const behind = (prefix: string) =>
  new Promise<{ url: string; close: () => void }>((done) => {
    const server = createServer((incoming, outgoing) => {
      if (!incoming.url!.startsWith(`${prefix}/`)) return void outgoing.writeHead(404).end()
      const path = incoming.url!.slice(prefix.length)
      const { method, headers } = incoming
      const onward = request(api.url + path, { method: method!, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(outgoing)
      })
      incoming.pipe(onward)
    }).listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      done({ url: `http://127.0.0.1:${port}`, close: () => server.close() })
    })
  })

test('works below /studio-gateway, and below another path', async () => {
  const proxy = await behind('/maps/geodag')
  try {
    for (const url of [
      `${api.url}/studio-gateway`,
      `${proxy.url}/maps/geodag/`,
      `${proxy.url}/maps/geodag/studio-gateway`,
    ]) {
      const { page, context, problems } = await openTab(browser)
      await signIn(page, url, anna.key)
      await openView(page, 'new', 'New run')
      await page.getByRole('radio', { name: 'Draw' }).check({ force: true })
      await page.locator('.map canvas').first().waitFor()
      expect(problems, url).toEqual([])
      await context.close()
    }
  } finally {
    proxy.close()
  }
})

test('a link followed in the moment that it is first seen is followed', async () => {
  const { page, context } = await openTab(browser)
  await page.addInitScript(() => {
    // Told in the same turn in which the view is drawn, before any effect of it has run.
    const seen = new MutationObserver(() => {
      if (!document.querySelector('nav[aria-label="Main"]')) return
      seen.disconnect()
      location.hash = '#/models'
    })
    addEventListener('DOMContentLoaded', () =>
      seen.observe(document.body, { childList: true, subtree: true }),
    )
  })
  await page.goto(api.url)
  await page.getByLabel('API key').fill(anna.key)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Models', exact: true }).waitFor()
  await context.close()
})

const ran = (page: Page) =>
  page.evaluate(() => [
    (window as any).ran,
    document.querySelectorAll('main script, main svg').length,
  ])

test('hostile names are text', async () => {
  const layer = {
    workspace: 'w',
    layer_name: 'p',
    display_name: BAD,
    filepath_key: 'model_output_image',
  }
  const style = {
    segmentation: [{ color: 'red;background:url(//x)', label: BAD, opacity: 1, quantity: 1 }],
  }
  const model = await anna.post('/v2/models', {
    ...{ display_name: 'hostile', description: BAD, model_url: 'https://m.example.org' },
    pipeline_steps: [{ process_id: BAD.slice(0, 50), step_number: 0 }],
    model_input_data_spec: [{ connector: BAD, bands: [{ index: 0, band_name: BAD }] }],
    geoserver_push: [{ ...layer, geoserver_style: style }],
  })
  const processor = await anna.processor(
    `# ${BAD}\nif __name__ == "__main__":\n    pass\n`,
    'p.py',
    { [BAD]: BAD },
  )
  const group = await anna.post('/v2/groups', { name: BAD, description: BAD })
  const run = await anna.post('/v2/inference', {
    ...{ ...asked, model_id: model.body.id, location: BAD.slice(0, 100), description: BAD },
  })
  expect([model.status, processor.status, group.status, run.status]).toEqual([201, 201, 201, 201])
  // What a step, or a service, says of a failure holds file names.
  const output = JSON.stringify({ errors: [{ code: BAD, message: BAD }] })
  await sql`update inf_inference set inference_output = ${output}::jsonb`.execute(service.db)
  const { page, context, problems } = await openTab(browser)
  await signIn(page, api.url, anna.key)
  for (const [view, heading, shown] of [
    ['runs', 'Runs', run.body.location],
    [`runs/${run.body.id}`, run.body.location, run.body.location],
    ['models', 'Models', BAD],
    [`models/${model.body.id}`, `hostile v${model.body.version}`, BAD],
    [`processors/${processor.body.id}`, processor.body.name, BAD],
    ['groups', 'Groups', BAD],
    [`new?model=${model.body.id}`, 'New run', BAD],
  ]) {
    await openView(page, view, heading)
    await page.getByText(shown).first().waitFor()
    expect(await ran(page), view).toEqual([undefined, 0])
  }
  // A mark that turns the direction of a text round ends with the name that it stands in.
  const turned = { ...asked, model_id: model.body.id, location: 'gnp.\u202Efit' }
  await anna.post('/v2/inference', { ...turned, description: 'whole' })
  const wide = { temporal_domain: ['2024-06-01_2024-06-30'], location: 'W'.repeat(100) }
  await anna.post('/v2/inference', { ...turned, ...wide, description: 'word '.repeat(60) })
  await openView(page, 'runs', 'Runs')
  const row = page.getByRole('rowheader', { name: 'whole' })
  const [link, more] = await Promise.all([
    row.locator('a').boundingBox(),
    row.locator('.more').boundingBox(),
  ])
  expect(link!.x + link!.width).toBeLessThanOrEqual(more!.x + 1)
  const beyond = () => document.documentElement.scrollWidth - innerWidth
  expect(await page.evaluate(beyond)).toBeLessThanOrEqual(0)
  await openView(page, `new?model=${model.body.id}`, 'New run')
  await page.getByLabel('GeoTIFF files').setInputFiles({
    ...{ name: '"><svg onload=window.ran=1>.svg', mimeType: 'image/svg+xml' },
    buffer: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="window.ran=1"/>'),
  })
  await page.getByText('Uploaded').waitFor()
  expect(await ran(page)).toEqual([undefined, 0])
  const { body } = await anna.get('/v2/file-share?object_name=picture.svg')
  await fetch(body.upload_url, { method: 'PUT', body: '<svg onload="alert(1)"/>' })
  const file = await fetch(body.download_url)
  expect(file.headers.get('content-type')).toBe('application/octet-stream')
  expect(file.headers.get('content-disposition')).toMatch(/^attachment/)
  expect(problems).toEqual([])
  await context.close()
})

test('a run that is watched outlasts the network and the API: what happened meanwhile is seen', async () => {
  const own = await service.launch('api')
  const ask = { ...asked, model_display_name: 'tiny-water', location: 'Watched' }
  const { body } = await anna.post('/v2/inference', ask)
  const { page, context } = await openTab(browser)
  await signIn(page, own.url, anna.key)
  await openView(page, `runs/${body.id}`, 'Watched')
  const away = page.getByText('What you see is as of then')
  await context.setOffline(true)
  await away.waitFor()
  await sql`update inf_inference set status = 'RUNNING' where id = ${body.id}`.execute(service.db)
  await context.setOffline(false)
  await page.locator('.heading .status.busy').waitFor()
  await away.waitFor({ state: 'detached' })

  await own.end('SIGTERM')
  await away.waitFor()
  const reason = 'Traceback:\n' + '  File "a.py", line 1, in <module>\n'.repeat(60)
  const output = JSON.stringify({ errors: [{ code: 'processor.failed', message: reason }] })
  await sql`update inf_inference set status = 'FAILED', inference_output = ${output}::jsonb
    where id = ${body.id}`.execute(service.db)
  const again = await service.launch('api', { PORT: new URL(own.url).port })
  await page.locator('.heading .status.bad').waitFor()
  await away.waitFor({ state: 'detached' })
  // Its lines stay lines; a box that scrolls can be reached by the keyboard.
  const message = page.getByRole('region', { name: 'Message of processor.failed' })
  expect(await message.evaluate((box) => [box.clientHeight < 300, box.tabIndex])).toEqual([true, 0])
  expect(await message.innerText()).toMatch(/Traceback:\n\s+File/)
  expect(await axe(page)).toEqual([])
  await context.close()
  await again.end('SIGTERM')
})

test('a key that is switched off leads to the sign-in; with another one the view is as before', async () => {
  const carl = await service.client(api.url, 'carl@example.org')
  const second = (await carl.post('/v2/auth/api-keys', {})).body
  const [first] = (await carl.get('/v2/auth/api-keys')).body.results.filter(
    ({ id }: { id: string }) => id !== second.id,
  )
  const { page, context } = await openTab(browser)
  await signIn(page, api.url, carl.key)
  expect(
    await carl.call('PATCH', `/v2/auth/api-keys?apikey_id=${first.id}`, { active: false }),
  ).toMatchObject({ status: 200 })
  // Not by the link: the list of runs may have asked, and have gone, before it is clicked.
  await page.evaluate(() => void (location.hash = '#/processors'))
  await page.getByText('Your key no longer holds').waitFor()
  expect(await axe(page)).toEqual([])
  await page.getByLabel('API key').fill(second.value)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await wholeView(page, 'Processors')
  await page.goBack()
  await wholeView(page, 'Runs')
  await context.close()
})

test('an address that leads nowhere says so', async () => {
  const { page, context } = await openTab(browser)
  await signIn(page, api.url, anna.key)
  const nobody = '00000000-0000-4000-8000-000000000000'
  for (const [view, heading] of [
    [`runs/${nobody}`, 'Run'],
    ['runs/no-id', 'Run'],
    ['runs/%', 'Run'],
    [`runs/..%2Fmodels%2F${nobody}`, 'Run'],
    ['models/no-id', 'Model'],
    [`processors/${nobody}`, 'Processor'],
  ] as const) {
    await openView(page, view, heading)
    await page.getByText(`There is no such ${heading.toLowerCase()}`).waitFor()
    expect(await page.title()).toBe(`${heading} · geodag`)
  }
  await context.close()
})

/** A run that has ended with so many tasks of five steps each. */
const runOf = async (tasks: number): Promise<string> => {
  const { body } = await anna.post('/v2/inference', { ...asked, model_display_name: 'tiny-water' })
  const steps = Array.from({ length: 5 }, (_, step_number) => ({
    ...{ status: 'FINISHED', process_id: `step-${step_number}`, step_number },
    ...{ start_time: '2026-01-01T00:00:00', end_time: '2026-01-01T00:01:00' },
  }))
  await sql`insert into inf_task (task_id, inference_id, planning, pipeline_steps, inference_folder, status)
    select ${body.id} || '-task_' || n, ${body.id}::uuid, false, ${JSON.stringify(steps)}::jsonb, ${body.id}, 'FAILED'
    from generate_series(1, ${tasks}::int) n`.execute(service.db)
  // No stream and no clock is in what is measured.
  await sql`update inf_inference set status = 'FAILED' where id = ${body.id}`.execute(service.db)
  return body.id
}

/** Milliseconds of script since the last call, by the ticks of the page's own thread. */
const scriptClock = async (page: Page): Promise<() => Promise<number>> => {
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.setTimeDomain', { timeDomain: 'threadTicks' })
  await session.send('Performance.enable')
  let last = 0
  return async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    const now = metrics.find(({ name }) => name === 'ScriptDuration')!.value * 1000
    const passed = now - last
    last = now
    return passed
  }
}

test('a thousand runs, and a run of 300 tasks', async () => {
  const [few, many] = [await runOf(10), await runOf(300)]
  const columns = sql`inference_config, shown, model_id, status, created_by, updated_by`
  await sql`insert into inf_inference (location, ${columns})
    select 'Place ' || n, ${columns} from inf_inference, generate_series(1, 1000) n
    where id = ${many}`.execute(service.db)
  const { page, context, problems } = await openTab(browser)
  await signIn(page, api.url, anna.key)
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 25)
  await page.getByText(/1–25 of 1,00\d/).waitFor()
  await page.getByRole('button', { name: 'Next' }).click()
  await page.getByText(/26–50 of/).waitFor()
  const clock = await scriptClock(page)
  const visit = async (id: string, tasks: string) => {
    await clock()
    await page.evaluate((id) => (location.hash = `#/runs/${id}`), id)
    await page.getByText(tasks, { exact: true }).waitFor()
    const milliseconds = await clock()
    return { milliseconds, nodes: await page.locator('main *').count() }
  }
  // By turns, and the least of each: what else the machine does is in both, or in neither.
  const visits = { few: [], many: [] } as Record<
    'few' | 'many',
    Awaited<ReturnType<typeof visit>>[]
  >
  for (let turn = 0; turn < 3; turn++) {
    visits.few.push(await visit(few, '11 tasks'))
    visits.many.push(await visit(many, '301 tasks'))
  }
  const least = (of: 'few' | 'many') =>
    Math.min(...visits[of].map(({ milliseconds }) => milliseconds))
  const ratio = least('many') / least('few')
  console.log(
    `geodag: the view of 300 tasks took ${least('many').toFixed(0)} ms of script, ${ratio.toFixed(1)} times that of 10`,
  )
  // 30 times the tasks: a page of them is drawn, their steps when they are opened.
  expect(await page.locator('.task').count()).toBe(50)
  expect(await page.locator('.step').count()).toBe(0)
  expect(visits.many[0]!.nodes).toBeLessThan(6 * visits.few[0]!.nodes)
  expect(ratio).toBeLessThan(15)

  // Back, and a reload, find the list as it was.
  await openView(page, 'runs', 'Runs')
  await page.getByLabel('Status', { exact: true }).selectOption('FAILED')
  await page.getByLabel('Place or description').fill('Place')
  await page.getByText(/1–25 of 1,000/).waitFor()
  await page.getByRole('button', { name: 'Next' }).click()
  await page.getByText(/26–50 of 1,000/).waitFor()
  await wholeView(page, 'Runs')
  const link = page.locator('tbody a').first()
  const place = (await link.textContent())!
  await link.click()
  await wholeView(page, place)
  await page.goBack()
  const isAsBefore = async () => {
    await page.getByText(/26–50 of 1,000/).waitFor()
    expect(await page.getByLabel('Status', { exact: true }).inputValue()).toBe('FAILED')
    expect(await page.getByLabel('Place or description').inputValue()).toBe('Place')
  }
  await isAsBefore()
  await page.reload()
  await isAsBefore()
  await page.getByRole('link', { name: 'Runs', exact: true }).click()
  await page.getByText(/1–25 of 1,00\d/).waitFor()
  expect(await page.getByLabel('Status', { exact: true }).inputValue()).toBe('')
  expect(problems).toEqual([])
  await context.close()
})
