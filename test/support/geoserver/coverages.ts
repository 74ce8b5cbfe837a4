import { type Answer, type Ask, created, empty, list, parseBody, shown, text } from './http.ts'
import { coveragesIn } from './netcdf.ts'
import { around, degrees } from './raster.ts'
import type { Coverage, CoverageStore, Raster, State } from './state.ts'

const boxed = ([minx, miny, maxx, maxy]: readonly number[], crs: string) => ({
  ...{ minx, miny, maxx, maxy, crs },
})

/** Publishes a coverage with its layer; what is not given is computed. */
export const addCoverage = (
  state: State,
  workspace: string,
  store: CoverageStore,
  given: { name: string; nativeName?: string; title?: string; metadata?: Record<string, any> },
  rasters: readonly Raster[],
): Coverage => {
  const srs = `EPSG:${rasters[0]?.epsg ?? 4326}`
  const native = rasters.length ? around(rasters.map(({ box }) => box)) : ([0, 0, 0, 0] as const)
  const made: Coverage = {
    name: given.name,
    nativeName: given.nativeName ?? given.name,
    title: given.title ?? given.name,
    enabled: true,
    srs,
    bands: rasters[0]?.bands ?? 1,
    parameters: {},
    native: [...native],
    latLon: degrees([...native], srs),
    metadata: given.metadata ?? {},
  }
  store.coverages.set(made.name, made)
  state.workspaces.get(workspace)!.layers.set(made.name, { defaultStyle: { name: 'raster' } })
  return made
}

const body = (workspace: string, store: CoverageStore, coverage: Coverage) => ({
  coverage: {
    name: coverage.name,
    nativeName: coverage.nativeName,
    namespace: { name: workspace },
    title: coverage.title,
    srs: coverage.srs,
    nativeBoundingBox: boxed(coverage.native, coverage.srs),
    latLonBoundingBox: boxed(coverage.latLon, 'EPSG:4326'),
    enabled: coverage.enabled,
    metadata: coverage.metadata,
    parameters: { entry: Object.entries(coverage.parameters).map((string) => ({ string })) },
    store: { '@class': 'coverageStore', name: `${workspace}:${store.name}` },
    nativeCoverageName: coverage.nativeName,
  },
})

/** Names that a store's reader has. */
const readerNames = (state: State, workspace: string, store: CoverageStore): string[] => {
  if (store.type !== 'NetCDF') {
    const index = state.index(workspace, store.name)
    return index?.granules.length ? [index.name] : []
  }
  return [...inNetcdf(state, workspace, store).keys()]
}
const inNetcdf = (state: State, workspace: string, store: CoverageStore) =>
  coveragesIn([...state.folder(workspace, store.name).values()][0]!)

/** `/workspaces/{w}/coveragestores/{s}/coverages...`. */
export const coverages = (state: State, ask: Ask): Answer => {
  const [, workspace, , name, , coverage, ...more] = ask.path as string[]
  const store = state.workspaces.get(workspace!)?.coveragestores.get(name!)
  if (!store) return text(404, `No such coverage store: ${workspace},${name}`)
  if (coverage === undefined) {
    if (ask.method === 'POST') return publish(state, ask, workspace!, store)
    if (ask.query.get('list') === 'all')
      return shown(ask, { list: { string: readerNames(state, workspace!, store) } }, 'xml')
    const names = [...store.coverages.keys()].map((key) => ({ name: key }))
    return shown(ask, list('coverages', 'coverage', names), 'xml')
  }
  const found = store.coverages.get(coverage)
  if (!found) return text(404, `No such coverage: ${workspace},${name},${coverage}`)
  if (more[0] === 'index') return granules(state, ask, store, more[1], more[2])
  if (ask.method === 'GET') return shown(ask, body(workspace!, store, found), 'xml')
  if (ask.method === 'PUT') return change(state, ask, store, found)
  if (ask.method !== 'DELETE') return empty(405)
  store.coverages.delete(coverage)
  state.workspaces.get(workspace!)!.layers.delete(coverage)
  return empty(200)
}

const publish = (state: State, ask: Ask, workspace: string, store: CoverageStore): Answer => {
  const { coverage: given } = parseBody(ask)
  if (store.coverages.has(given.name)) return text(500, `${given.name} is there already`)
  const native = given.nativeName ?? given.name
  let rasters: readonly Raster[] = state.index(workspace, store.name)?.granules ?? []
  if (store.type === 'NetCDF') {
    const found = inNetcdf(state, workspace, store).get(native)
    if (!found) return text(500, `no coverage ${native}`)
    rasters = [found]
  }
  addCoverage(state, workspace, store, given, rasters)
  return created(given.name, `http://elsewhere.invalid/geoserver/coverages/${given.name}`)
}

const change = (state: State, ask: Ask, store: CoverageStore, found: Coverage): Answer => {
  if (!/xml|json/.test(ask.type)) return empty(415)
  const { coverage: given } = parseBody(ask)
  if (given.title) found.title = given.title
  if (given.metadata) found.metadata = given.metadata
  if (given.parameters) {
    const entries = [given.parameters.entry ?? []].flat()
    found.parameters = Object.fromEntries(entries.map(({ string }: any) => string))
  }
  const calculate = (ask.query.get('calculate') ?? '').split(',')
  if (calculate.includes('nativebbox')) {
    // Computed from the body, which must be whole: without its store it names no data.
    if (!given.store) return text(500, 'java.lang.NullPointerException')
    const [, workspace] = ask.path as string[]
    const boxes = state.index(workspace!, store.name)?.granules.map(({ box }) => box) ?? []
    if (boxes.length) found.native = around(boxes)
  }
  if (calculate.includes('latlonbbox')) found.latLon = degrees(found.native, found.srs)
  return empty(200)
}

const granules = (
  state: State,
  ask: Ask,
  store: CoverageStore,
  part: string | undefined,
  id: string | undefined,
): Answer => {
  const [, workspace] = ask.path as string[]
  const index = state.index(workspace!, store.name)
  if (!index) return text(404, `${store.name} has no index`)
  if (part === undefined) {
    const attributes = ['the_geom', 'location', ...(index.timed ? ['time'] : [])]
    return shown(ask, {
      Schema: { attributes: { Attribute: attributes.map((name) => ({ name })) } },
    })
  }
  const wanted = /^location\s*=\s*'((?:[^']|'')*)'$/i.exec(ask.query.get('filter') ?? '')?.[1]
  const location = wanted?.replaceAll("''", "'")
  const numbered = index.granules.map((granule, n) => ({ granule, id: `${store.name}.${n + 1}` }))
  const chosen = numbered.filter(
    ({ granule, id: own }) =>
      (location === undefined || granule.location === location) && (id === undefined || own === id),
  )
  if (id !== undefined && !chosen.length) return text(404, `Could not find a granule with id ${id}`)
  if (ask.method === 'DELETE') {
    for (const { granule } of chosen) index.granules.splice(index.granules.indexOf(granule), 1)
    return empty(200)
  }
  const features = chosen.map(({ granule, id: own }) => ({
    type: 'Feature',
    id: own,
    properties: {
      location: granule.location,
      ...(index.timed ? { time: `${granule.time}T00:00:00.000+0000` } : {}),
    },
  }))
  return shown(ask, { type: 'FeatureCollection', features })
}
