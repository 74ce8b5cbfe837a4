import type { Config } from '../config.ts'

/** The address of a GeoServer as a step reaches it: this machine's own goes by a service. */
export const geoserverOf = (config: Config): { url?: string; local?: number } => {
  if (!config.GEOSERVER_URL) return {}
  const url = new URL(config.GEOSERVER_URL)
  if (!['localhost', '127.0.0.1', '[::1]'].includes(url.hostname))
    return { url: config.GEOSERVER_URL }
  const local = Number(url.port || 80)
  return { url: `http://geoserver:${local}${url.pathname.replace(/\/$/, '')}`, local }
}
