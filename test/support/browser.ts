import { execFileSync, spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { root } from './engine.ts'

const FLAGS = [
  ...['--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync'],
  // WebGL on the CPU: test machines have no graphics card.
  ...['--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'],
  // A loaded machine draws too slowly for the watchdog, which would take the WebGL context away.
  ...['--disable-gpu-watchdog', '--disable-gpu-process-crash-limit'],
]
/** How long the page may take over anything, ms: no test is about time. */
const PATIENCE = 300_000
/** TEST_CPU_SLOWDOWN=6 gives each tab a sixth of its CPU: tests must pass with it as well. */
const SLOWDOWN = Number(process.env.TEST_CPU_SLOWDOWN ?? 1)

const web = (what: string): void => {
  const { status, stderr } = spawnSync('bash', ['scripts/web.sh', what], { cwd: root })
  if (status !== 0) throw new Error(`scripts/web.sh ${what}: ${stderr.toString().trim()}`)
}

/** Debian's Chromium, or the one that CHROMIUM names; with the page built. */
export const startBrowser = async (): Promise<Browser> => {
  web('build')
  web('chromium')
  const name = process.env.CHROMIUM ?? 'chromium'
  const executablePath = execFileSync('which', [name]).toString().trim()
  return chromium.launch({ executablePath, args: FLAGS, timeout: PATIENCE })
}

/** A tab, and what went wrong in it: errors of the console, of scripts, breaches of the policy. */
export const openTab = async (
  browser: Browser,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<{ page: Page; context: BrowserContext; problems: string[] }> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options })
  context.setDefaultTimeout(PATIENCE)
  const page = await context.newPage()
  if (SLOWDOWN > 1) {
    const session = await context.newCDPSession(page)
    await session.send('Emulation.setCPUThrottlingRate', { rate: SLOWDOWN })
  }
  const problems: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()))
      problems.push(`${message.text()} ${message.location().url}`)
  })
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('dialog', (dialog) => {
    problems.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  return { page, context, problems }
}

export const signIn = async (page: Page, url: string, key: string): Promise<void> => {
  await page.goto(url)
  await page.getByLabel('API key').fill(key)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Runs' }).waitFor()
}

/**
 * Opens a view of the page that is open, and waits until it is that view, whole: after a hash has
 * changed the old view stands until the browser has told of it.
 */
export const openView = async (page: Page, view: string, heading: string): Promise<void> => {
  await page.goto(`${page.url().split('#')[0]}#/${view}`)
  await wholeView(page, heading)
}
export const wholeView = async (page: Page, heading: string): Promise<void> => {
  await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor()
  await page.waitForFunction(() => {
    const main = document.querySelector('main')!
    return !main.textContent!.includes('Loading') && !main.querySelector('[aria-busy="true"]')
  })
}

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
/** What axe finds against WCAG 2.0 to 2.2, levels A and AA. */
export const axe = async (page: Page): Promise<string[]> => {
  // By the debugger, which the page's own policy does not bind.
  const { readFile } = await import('node:fs/promises')
  await page.evaluate(`${await readFile(axePath, 'utf8')}; 0`)
  const found = await page.evaluate(() =>
    (window as any).axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
    }),
  )
  return found.violations.map(
    (one: any) =>
      `${one.id}: ${one.nodes
        .map((node: any) => node.html)
        .join(' | ')
        .slice(0, 400)}`,
  )
}

/** Red, green, blue of points of a picture, 0 to 255. */
export const coloursAt = async (
  browser: Browser,
  png: Buffer,
  points: readonly (readonly [number, number])[],
): Promise<number[][]> => {
  const page = await browser.newPage()
  try {
    return await page.evaluate(
      async ([data, asked]) => {
        const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0))
        const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }))
        const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
        const context = canvas.getContext('2d')!
        context.drawImage(bitmap, 0, 0)
        return asked.map(([x, y]) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)])
      },
      [png.toString('base64'), points] as const,
    )
  } finally {
    await page.close()
  }
}

/** Waits until the map of a run is drawn; where a coordinate of its CRS lies on the screen. */
export const mapOf = async (page: Page) => {
  const map = page.locator('.map[data-ready="yes"]')
  await map.waitFor()
  // A click further down has scrolled the page, and a screenshot holds what is seen.
  await map.scrollIntoViewIfNeeded()
  const { center, resolution, crs } = await map.evaluate((div) => ({
    ...(div as HTMLElement).dataset,
  }))
  const [x, y] = center!.split(',').map(Number) as [number, number]
  const box = (await map.boundingBox())!
  const at = ([east, north]: readonly [number, number]): [number, number] => [
    Math.round(box.x + box.width / 2 + (east - x) / Number(resolution)),
    Math.round(box.y + box.height / 2 - (north - y) / Number(resolution)),
  ]
  return { crs, at, map }
}

/** Colours that the map of a run has now at coordinates of its CRS: ask until they are as they must be. */
export const coloursOnMap = async (
  browser: Browser,
  page: Page,
  points: readonly (readonly [number, number])[],
): Promise<number[][]> => {
  const { at } = await mapOf(page)
  return coloursAt(browser, await page.screenshot(), points.map(at))
}
