import { type Service, startService } from '../api.ts'
import { startMapServer } from './mapserver.ts'
import { type Geoserver, startGeoserver } from './server.ts'
import { wms } from './wms.ts'

export interface Publishing {
  readonly geoserver: Geoserver
  readonly service: Service
  close(): Promise<void>
}

/** A service that publishes to a stand-in; `maps`: whose layers can be looked at by WMS. */
export const startPublishing = async (
  env: Record<string, string> = {},
  { maps = false } = {},
): Promise<Publishing> => {
  const drawn = maps ? await startMapServer() : undefined
  const geoserver = await startGeoserver(drawn ? { ows: wms(drawn) } : {})
  const GEOSERVER = { GEOSERVER_URL: geoserver.url, GEOSERVER_PASSWORD: 'geoserver' }
  const service = await startService({ ...GEOSERVER, GEOSERVER_USERNAME: 'admin', ...env })
  const close = async () => {
    await service.close()
    geoserver.close()
    await drawn?.stop()
  }
  return { geoserver, service, close }
}
