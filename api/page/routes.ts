import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { serveStatic } from '@hono/node-server/serve-static'
import type { Hono } from 'hono'
import { compress } from 'hono/compress'
import { z } from 'zod'
import type { Config } from '../config.ts'
import { named, told } from '../http/answers.ts'
import type { Ctx, Vars } from '../http/context.ts'
import type { Router } from '../http/routing.ts'
import { pageHeaders } from './policy.ts'

const DIST = fileURLToPath(new URL('../../web/dist', import.meta.url))
const YEAR = 'public, max-age=31536000, immutable'

const pageSchema = named(
  'Page',
  z.object({
    user: z.string().meta({ description: 'E-mail of who asks' }),
    by: z.enum(['off', 'proxy', 'key', 'jwt']),
    version: z.string(),
    basemap: z.object({ url: z.string(), attribution: z.string() }).nullable(),
    geoserver: z.string().nullable(),
  }),
)
const shown = {
  ...{ user: 'anna@example.org', by: 'key' as const, version: '2.0.0' },
  ...{ basemap: null, geoserver: null },
}

interface PageDeps {
  readonly config: Config
  readonly version: string
  readonly publicUrl: () => string
  /** Folder of the built page; web/dist unless a test says another */
  readonly dist?: string
}

const wantsHtml = (c: Ctx): boolean => /text\/html/.test(c.req.header('accept') ?? '')

/**
 * The page at `/`, for who accepts HTML; every other client is sent to `/docs`, as it always was.
 *
 * Where the page is not built (`npm start` and `npm run api` build it), `/` leads to `/docs` too. Its
 * URLs are relative, so a mount that lacks its last slash is left for the one that has it.
 */
export const pageRoutes = (
  api: Hono<Vars>,
  router: Router,
  { config, version, publicUrl, dist = DIST }: PageDeps,
): void => {
  const headers = () => pageHeaders(config, publicUrl())
  api.get('/', async (c) => {
    c.header('Vary', 'Accept')
    // Not of the URL as it was sent: `//host` would lead away from here.
    if (!wantsHtml(c) || !existsSync(join(dist, 'index.html')))
      return c.redirect(c.req.path.replace(/\/?$/, '/docs'), 307)
    // Relative, for what stands before the mount is known to the proxy alone.
    if (!new URL(c.req.url).pathname.endsWith('/')) return c.redirect('studio-gateway/', 307)
    for (const [name, value] of Object.entries(headers())) c.header(name, value)
    c.header('Cache-Control', 'no-cache')
    const html = await readFile(join(dist, 'index.html'), 'utf8')
    // Where no proxy can say who asks, the page asks for a key before it asks for anything else.
    const needsKey = config.AUTH_ENABLED && config.TRUSTED_PROXIES.length === 0
    return c.html(needsKey ? html.replace('<html ', '<html data-sign-in="key" ') : html)
  })
  api.use('/assets/*', compress())
  api.get(
    '/assets/*',
    serveStatic({
      root: dist,
      rewriteRequestPath: (path) => path.replace(/^.*?(?=\/assets\/)/, ''),
      onFound: (_, c) => {
        // A worker has a policy of its own answer.
        for (const [name, value] of Object.entries(headers())) c.header(name, value)
        c.header('Cache-Control', YEAR)
      },
    }),
  )
  router.add(
    {
      ...{
        method: 'get',
        path: '/v2/page',
        tag: 'Page',
        summary: 'What the page shows, and to whom',
      },
      responses: { 200: told('Who asks, and the settings of the map', pageSchema, shown) },
    },
    ({ c, reply }) => {
      const { email, by } = c.get('identity')
      const basemap = config.BASEMAP_URL
        ? { url: config.BASEMAP_URL, attribution: config.BASEMAP_ATTRIBUTION }
        : null
      const geoserver = config.GEOSERVER_URL ?? null
      return reply.json(200, { user: email, by, version, basemap, geoserver })
    },
  )
}
