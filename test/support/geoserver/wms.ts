import type { Answer } from './http.ts'
import { type Drawn, drawnMap, isPicture, toldMap } from './mapfile.ts'
import { picture } from './picture.ts'
import { drawingError } from './sld-check.ts'
import { degrees } from './raster.ts'
import type { CoverageStore, DataStore, Granule, State, Table } from './state.ts'

/** Answers a request over a mapfile; `files` are put where it finds them. */
export interface MapServer {
  write(name: string, bytes: Buffer): string
  ask(mapfile: string, query: URLSearchParams): Promise<Answer>
}

const exception = (code: string, message: string): Answer => ({
  status: 200,
  type: 'text/xml',
  text: `<?xml version="1.0"?><ServiceExceptionReport version="1.3.0"><ServiceException code="${code}">${message}</ServiceException></ServiceExceptionReport>`,
})

type Stores = 'coveragestores' | 'datastores'
type StoreOf<K extends Stores> = K extends 'coveragestores' ? CoverageStore : DataStore

/** Every store of a kind, with its workspace's name. */
const storesOf = <K extends Stores>(
  state: State,
  kind: K,
): { workspace: string; store: StoreOf<K> }[] =>
  [...state.workspaces.values()].flatMap((workspace) =>
    [...workspace[kind].values()].map((store) => ({
      workspace: workspace.name,
      store: store as StoreOf<K>,
    })),
  )

const featuresOf = (state: State) =>
  storesOf(state, 'datastores').flatMap(({ workspace, store }) =>
    [...store.types.values()].map(({ name, nativeName }) => {
      const table: Table = store.tables.find((one) => one.name === nativeName)!
      return { workspace, store, name, table }
    }),
  )
type Features = ReturnType<typeof featuresOf>[number]

const layersOf = (state: State) =>
  storesOf(state, 'coveragestores').flatMap(({ workspace, store }) =>
    [...store.coverages.keys()].map((name) => ({ workspace, store, name })),
  )
export type Found = ReturnType<typeof layersOf>[number]

const isTimed = ({ store, name }: Found): boolean => {
  const entry = store.coverages.get(name)?.metadata?.entry
  return [entry].flat().some((one) => one?.['@key'] === 'time')
}
const granulesOf = (state: State, { workspace, store }: Found): readonly Granule[] =>
  state.index(workspace, store.name)?.granules ?? []
const timesOf = (state: State, found: Found): string[] =>
  isTimed(found) ? [...new Set(granulesOf(state, found).map(({ time }) => time!))].sort() : []

/** The day that is asked for, else the first; the nearest one where there is none. */
const nearest = (times: readonly string[], asked: string | null): string | undefined => {
  if (!asked) return times[0]
  const distance = (time: string) => Math.abs(Date.parse(time) - Date.parse(asked.slice(0, 10)))
  return [...times].sort((a, b) => distance(a) - distance(b))[0]
}

const lower = (query: URLSearchParams): URLSearchParams =>
  new URLSearchParams([...query].map(([key, value]) => [key.toLowerCase(), value]))

const sldOf = (
  state: State,
  found: Pick<Found, 'workspace' | 'name'>,
  query: URLSearchParams,
): string => {
  const body = query.get('sld_body')
  if (body) return body
  const held = state.workspaces.get(found.workspace)!
  const { name, workspace } = held.layers.get(found.name)?.defaultStyle ?? { name: 'raster' }
  return (workspace ? held.styles.get(name)?.sld : undefined) ?? ''
}

const drawn = async (
  state: State,
  server: MapServer,
  found: Found,
  day: string | undefined,
  sld: string,
): Promise<Drawn[]> => {
  const { workspace, store, name } = found
  const folder = state.folder(workspace, store.name)
  const layer = `${workspace}:${name}`
  const coverage = store.coverages.get(name)!
  const write = (file: string) =>
    server.write(`${workspace}-${store.name}-${file}`, folder.get(file)!)
  const raster = async (file: string, epsg: number): Promise<Drawn> => {
    const path = write(file)
    const shown = isPicture(sld) ? await picture(server, found, folder, file, path) : { path }
    return { layer, epsg, sld, ...shown }
  }
  if (store.type === 'NetCDF') {
    const path = `NETCDF:${write([...folder.keys()][0]!)}:${coverage.nativeName}`
    return [{ layer, sld, epsg: 32630, path }]
  }
  if (store.type === 'ImageMosaic')
    return Promise.all(
      granulesOf(state, found)
        .filter(({ time }) => day === undefined || time === day)
        .map(({ location, epsg }) => raster(location, epsg)),
    )
  return [await raster([...folder.keys()][0]!, Number(coverage.srs.split(':')[1]))]
}

const drawnFeatures = (state: State, server: MapServer, found: Features, sld: string): Drawn => {
  const { workspace, store, table, name } = found
  const written = [...state.folder(workspace, store.name)].map(([file, bytes]) =>
    server.write(`${workspace}-${store.name}-${file}`, bytes),
  )
  const path = written.find((file) => /\.(shp|gpkg)$/.test(file))!
  // A Shapefile's table is called as its file is.
  const own = path.endsWith('.shp') ? path.replace(/^.*\/|\.shp$/g, '') : table.name
  const features = { geometry: table.geometry, name: own }
  return { layer: `${workspace}:${name}`, path, epsg: table.epsg, sld, features }
}

const getMap = async (state: State, server: MapServer, url: URL, query: URLSearchParams) => {
  const all = layersOf(state)
  const headers: Record<string, string> = {}
  const rasters: Drawn[] = []
  const own = /^\/geoserver\/([^/]+)\/(?:wms|ows)$/.exec(url.pathname)?.[1]
  for (const given of (query.get('layers') ?? '').split(',')) {
    const uri = given.includes(':') || !own ? given : `${own}:${given}`
    const found = all.find(({ workspace, name }) => `${workspace}:${name}` === uri)
    const shapes = featuresOf(state).find(({ workspace, name }) => `${workspace}:${name}` === uri)
    if (shapes) {
      rasters.push(drawnFeatures(state, server, shapes, sldOf(state, shapes, query)))
      continue
    }
    if (!found) return exception('LayerNotDefined', `Could not find layer ${given}`)
    const times = timesOf(state, found)
    const day = nearest(times, query.get('time'))
    const asked = query.get('time')
    if (times.length && asked !== day)
      headers.warning = `99 ${asked ? 'Nearest' : 'Default'} value used: time=${day}T00:00:00.000Z ISO8601 (${uri})`
    const sld = sldOf(state, found, query)
    const { bands } = found.store.coverages.get(found.name)!
    const why = sld && drawingError(sld, bands)
    if (why) return exception('NoApplicableCode', `Rendering process failed: ${why}`)
    rasters.push(...(await drawn(state, server, found, day, sld)))
  }
  const names = [...new Set(rasters.map(({ layer }) => layer))]
  for (const key of ['time', 'sld_body', 'styles']) query.delete(key)
  query.set('layers', names.join())
  query.set('styles', '')
  const answer = await server.ask(drawnMap(`${url.origin}${url.pathname}?`, rasters), query)
  return { ...answer, headers }
}

/** WMS 1.1.1 and 1.3.0 over what was published, drawn by MapServer. */
export const wms =
  (server: MapServer) =>
  async (state: State, url: URL): Promise<Answer> => {
    const query = lower(url.searchParams)
    const request = query.get('request')?.toLowerCase()
    if (request === 'getmap') return getMap(state, server, url, query)
    if (request !== 'getcapabilities')
      return exception('OperationNotSupported', 'No such operation')
    const told = layersOf(state).map((found) => {
      const { title, latLon } = found.store.coverages.get(found.name)!
      const layer = `${found.workspace}:${found.name}`
      return { layer, title, box: latLon, times: timesOf(state, found) }
    })
    for (const { workspace, name, table } of featuresOf(state)) {
      const box = degrees(table.box, `EPSG:${table.epsg}`)
      told.push({ layer: `${workspace}:${name}`, title: name, box, times: [] })
    }
    const [first] = layersOf(state)
    const any = first && (await drawn(state, server, first, undefined, ''))[0]
    return server.ask(toldMap(`${url.origin}${url.pathname}?`, told, any?.path ?? ''), query)
  }
