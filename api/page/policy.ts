import type { Config } from '../config.ts'

type Settings = Pick<Config, 'BASEMAP_URL' | 'GEOSERVER_URL' | 'S3_ENDPOINT'>

/** The origin of a URL; of a template of tiles too. */
const originOf = (url: string | undefined): string[] => {
  const plain = url?.replace(/[{}]/g, '')
  return plain && URL.canParse(plain) ? [new URL(plain).origin] : []
}

/**
 * Headers of the page (Content Security Policy Level 3): scripts and styles of this server alone,
 * none inline; data from this server and the object store; pictures of the base map and GeoServer.
 */
export const pageHeaders = (settings: Settings, publicUrl: string): Record<string, string> => {
  const pictures = [...originOf(settings.BASEMAP_URL), ...originOf(settings.GEOSERVER_URL)]
  const data = [...originOf(publicUrl), ...originOf(settings.S3_ENDPOINT)]
  const policy = {
    'default-src': ["'none'"],
    'script-src': ["'self'"],
    'style-src': ["'self'"],
    'font-src': ["'self'"],
    'img-src': ["'self'", 'data:', 'blob:', ...data, ...pictures],
    'connect-src': ["'self'", ...data, ...pictures],
    // The decoder of GeoTIFF tiles is a worker made from a text of the page's own script.
    'worker-src': ["'self'", 'blob:'],
    'base-uri': ["'none'"],
    'form-action': ["'none'"],
    'frame-ancestors': ["'none'"],
    'object-src': ["'none'"],
  }
  return {
    'Content-Security-Policy': Object.entries(policy)
      .map(([name, sources]) => `${name} ${[...new Set(sources)].join(' ')}`)
      .join('; '),
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'strict-origin',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
  }
}
