import { call, PushError, type Server } from './client.ts'
import { sldOf } from './sld.ts'
import { storedZip } from './zip.ts'

export interface Layer {
  readonly workspace: string
  readonly layer_name: string
  readonly display_name: string
  readonly filepath_key: string
  readonly geoserver_style?: unknown
  readonly z_index?: unknown
  readonly visible_by_default?: unknown
}
export interface Push {
  readonly layer_prefix: string
  readonly layers: readonly Layer[]
  readonly date?: string
}

const DATE = /\d{4}-\d{2}-\d{2}/
const INDEXER =
  'TimeAttribute=time\nSchema=*the_geom:Polygon,location:String,time:java.util.Date\n' +
  'PropertyCollectors=TimestampFileNameExtractorSPI[timeregex](time)\n'
const TIME = (store: string) =>
  `<coverage><name>${store}</name><enabled>true</enabled><metadata><entry key="time"><dimensionInfo>` +
  '<enabled>true</enabled><presentation>LIST</presentation><units>ISO8601</units>' +
  '<defaultValue><strategy>MINIMUM</strategy></defaultValue><nearestMatchEnabled>true</nearestMatchEnabled>' +
  '</dimensionInfo></entry></metadata></coverage>'

/** An ImageMosaic's zip: the raster, and where its time stands in its name. */
const mosaic = (name: string, data: Uint8Array, date: string | undefined): Buffer => {
  if (DATE.test(name)) return withTime(name, data)
  return date ? withTime(`${date}_${name}`, data) : storedZip({ [name]: data })
}
const withTime = (name: string, data: Uint8Array): Buffer =>
  storedZip({
    [name]: data,
    'timeregex.properties': Buffer.from('regex=[0-9]{4}-[0-9]{2}-[0-9]{2}\n'),
    'indexer.properties': Buffer.from(INDEXER),
  })

const workspace = async (server: Server, name: string): Promise<void> => {
  const { status } = await call(server, 'GET', `workspaces/${name}`, [200, 404])
  if (status === 404)
    await call(
      server,
      'POST',
      'workspaces',
      [201, 409],
      `<workspace><name>${name}</name></workspace>`,
    )
}

/** Publishes one raster; an existing store gets another granule. */
const raster = async (server: Server, layer: Layer, store: string, zip: Buffer, timed: boolean) => {
  const stores = `workspaces/${layer.workspace}/coveragestores`
  const { status } = await call(server, 'GET', `${stores}/${store}.json`, [200, 404])
  if (status === 404)
    await call(
      server,
      'PUT',
      `${stores}/${store}/file.imagemosaic?coverageName=${store}`,
      [201],
      zip,
      'application/zip',
    )
  else
    await call(
      server,
      'POST',
      `${stores}/${store}/file.imagemosaic?recalculate=nativebbox,latlonbbox`,
      [200, 201, 202],
      zip,
      'application/zip',
    )
  if (timed) await call(server, 'PUT', `${stores}/${store}/coverages/${store}`, [200], TIME(store))
}

/**
 * Publishes every layer whose artifact is there. `read` gives an artifact's bytes by file name.
 *
 * @throws PushError `geoserver.*`
 */
export const push = async (
  server: Server,
  request: Push,
  artifacts: Readonly<Record<string, string>>,
  read: (name: string) => Uint8Array,
  log: (text: string) => void,
) => {
  const predicted_layers: unknown[] = []
  const skipped: unknown[] = []
  for (const layer of request.layers) {
    const file = artifacts[layer.filepath_key]
    const reason = !file
      ? `no earlier step made ${layer.filepath_key}`
      : /\.tiff?$/i.test(file)
        ? undefined
        : `${file} is not a GeoTIFF; only rasters are published yet`
    if (!file || reason) {
      log(`${layer.layer_name} skipped: ${reason}`)
      skipped.push({ layer_name: layer.layer_name, reason })
      continue
    }
    const store = `${request.layer_prefix}-${layer.layer_name}`
    await workspace(server, layer.workspace)
    const timed = DATE.test(file) || request.date !== undefined
    await raster(server, layer, store, mosaic(file, read(file), request.date), timed)
    const uri = `${layer.workspace}:${store}`
    log(`${uri} published from ${file}`)
    const { display_name, z_index, visible_by_default } = layer
    const sld_body = sldOf(uri, layer.geoserver_style)
    predicted_layers.push({ uri, display_name, sld_body, z_index, visible_by_default })
  }
  if (request.layers.length && !predicted_layers.length)
    throw new PushError(
      'geoserver.nothing_to_push',
      'no layer has its file: check geoserver_push[].filepath_key',
    )
  return { predicted_layers, skipped }
}
