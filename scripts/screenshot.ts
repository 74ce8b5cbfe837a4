import { mkdirSync, rmSync } from 'node:fs'
import { lakeScene } from '../test/support/geotiff.ts'
import { startService } from '../test/support/api.ts'
import { mapOf, openTab, signIn, startBrowser } from '../test/support/browser.ts'

/** Makes docs/screenshot.png: a run of tiny-water over a synthetic scene, as the page shows it. */
const out = 'docs/screenshot.png'
const service = await startService()
const browser = await startBrowser()
try {
  const api = await service.launch('start')
  const client = await service.client(api.url, 'anna@example.org')
  const { body: share } = await client.get('/v2/file-share?object_name=lake.tif')
  await fetch(share.upload_url, { method: 'PUT', body: new Uint8Array(lakeScene(3, 512)) })
  const { body: run } = await client.post('/v2/inference', {
    ...{ model_display_name: 'tiny-water', location: 'A lake in Spain' },
    spatial_domain: { urls: [share.download_url] },
    ...{ temporal_domain: ['2024-08-12'], description: 'Synthetic Sentinel-2 scene' },
  })
  const { inference } = await client.ended(run.id)
  if (inference.status !== 'COMPLETED') throw new Error(JSON.stringify(inference.inference_output))
  const { page } = await openTab(browser, { colorScheme: 'light', deviceScaleFactor: 1 })
  await signIn(page, api.url, client.key)
  await page.goto(`${api.url}/#/runs/${run.id}`)
  const { at } = await mapOf(page)
  await page.mouse.move(...at([600_000 + 2700, 4_300_000 - 2500]))
  await page.waitForTimeout(500)
  mkdirSync('docs', { recursive: true })
  rmSync(out, { force: true })
  await page.screenshot({ path: out })
  console.log(`geodag: ${out}`)
} finally {
  await browser.close()
  await service.close()
}
