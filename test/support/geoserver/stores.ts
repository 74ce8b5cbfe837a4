import { basename } from 'node:path'
import {
  type Answer,
  type Ask,
  created,
  empty,
  isTrue,
  list,
  parseBody,
  shown,
  text,
} from './http.ts'
import { openMosaic } from './mosaic.ts'
import { outside } from './uploads.ts'
import type { CoverageStore, DataStore, State, Workspace } from './state.ts'

const missing = (name: string): Answer => text(404, `No such workspace: '${name}' found`)

const named = (path: string, names: Iterable<string>) =>
  [...names].map((name) => ({
    name,
    href: `http://elsewhere.invalid/geoserver/rest/${path}/${name}.json`,
  }))

/** `/workspaces` and `/namespaces`, which come in pairs. */
export const workspaces = (state: State, ask: Ask): Answer => {
  const [kind, name] = ask.path as [string, string?]
  if (name === undefined) {
    if (ask.method === 'GET') {
      const one = kind === 'workspaces' ? 'workspace' : 'namespace'
      return shown(ask, list(kind, one, named(kind, state.workspaces.keys())))
    }
    return ask.method === 'POST' ? makeWorkspace(state, ask, kind) : empty(405)
  }
  const found = state.workspaces.get(name)
  if (ask.method === 'POST') return empty(405)
  if (!found) return missing(name)
  if (ask.method === 'DELETE') return removeWorkspace(state, ask, found)
  if (ask.method === 'PUT') return empty(200)
  if (ask.method !== 'GET') return empty(405)
  if (kind === 'namespaces')
    return shown(ask, { namespace: { prefix: name, uri: `http://${name}`, isolated: false } })
  const link = `http://elsewhere.invalid/geoserver/rest/workspaces/${name}`
  return shown(ask, {
    workspace: {
      name,
      isolated: found.isolated,
      dataStores: `${link}/datastores.json`,
      coverageStores: `${link}/coveragestores.json`,
    },
  })
}

const makeWorkspace = (state: State, ask: Ask, kind: string): Answer => {
  const body = parseBody(ask)
  const name = String(body.workspace?.name ?? body.namespace?.prefix ?? '')
  if (!name) return text(400, 'a workspace needs a name')
  if (state.workspaces.has(name)) {
    if (kind === 'namespaces') return text(500, `Namespace with prefix '${name}' already exists.`)
    return state.version === '2.19.7'
      ? text(401, `Workspace named '${name}' already exists.`)
      : text(409, `Workspace '${name}' already exists`)
  }
  state.add(name)
  return created(name, `http://elsewhere.invalid/geoserver/${kind}/${name}`)
}

const removeWorkspace = (state: State, ask: Ask, found: Workspace): Answer => {
  const full = [found.coveragestores, found.datastores, found.styles].some((map) => map.size)
  if (full && !isTrue(ask, 'recurse')) return text(403, `Workspace not empty: ${found.name}`)
  state.workspaces.delete(found.name)
  return empty(200)
}

const raster = (workspace: string, store: CoverageStore) => ({
  coverageStore: {
    name: store.name,
    type: store.type,
    enabled: store.enabled,
    workspace: { name: workspace, href: `http://elsewhere.invalid/${workspace}.json` },
    url: store.url,
    coverages: `http://elsewhere.invalid/geoserver/rest/workspaces/${workspace}/coveragestores/${store.name}/coverages.json`,
  },
})
const vector = (workspace: string, store: DataStore) => ({
  dataStore: { name: store.name, type: store.type, enabled: true, workspace: { name: workspace } },
})

const KINDS = {
  coveragestores: { outer: 'coverageStores', inner: 'coverageStore', title: 'coverage store' },
  datastores: { outer: 'dataStores', inner: 'dataStore', title: 'datastore' },
} as const

/** `/workspaces/{w}/coveragestores` and `/datastores`, without their uploads. */
export const stores = (state: State, ask: Ask): Answer | Promise<Answer> => {
  const [, name, kind, store] = ask.path as [string, string, keyof typeof KINDS, string?]
  const { outer, inner, title } = KINDS[kind]
  const workspace = state.workspaces.get(name)
  const held = workspace?.[kind] as Map<string, any> | undefined
  if (store === undefined) {
    if (!held) return missing(name)
    if (ask.method === 'GET')
      return shown(ask, list(outer, inner, named(ask.path.join('/'), held.keys())))
    return ask.method === 'POST' && kind === 'coveragestores'
      ? makeStore(state, held, ask, name)
      : empty(405)
  }
  const found = held?.get(store)
  if (!found) return text(404, `No such ${title}: ${name},${store}`)
  if (ask.method === 'GET')
    return shown(ask, kind === 'datastores' ? vector(name, found) : raster(name, found))
  if (ask.method === 'PUT') return empty(200)
  return ask.method === 'DELETE' ? removeStore(state, ask, workspace!, found) : empty(405)
}

const makeStore = async (
  state: State,
  held: Map<string, CoverageStore>,
  ask: Ask,
  workspace: string,
): Promise<Answer> => {
  const { coverageStore: given } = parseBody(ask)
  const name = String(given.name)
  if (held.has(name)) return text(500, `Store '${name}' already exists in workspace '${workspace}'`)
  const { type = 'ImageMosaic', url = '' } = given
  held.set(name, { name, type, enabled: true, url, coverages: new Map() })
  const folder = state.folder(workspace, name)
  if (url && outside(state, folder, url))
    await openMosaic(state, workspace, name, basename(url)).catch(() => undefined)
  return created(
    name,
    `http://elsewhere.invalid/geoserver/rest/workspaces/${workspace}/coveragestores/${name}`,
  )
}

const removeStore = (
  state: State,
  ask: Ask,
  workspace: Workspace,
  found: CoverageStore | DataStore,
): Answer => {
  const resources = 'coverages' in found ? found.coverages : found.types
  if (resources.size && !isTrue(ask, 'recurse'))
    return text(401, `${'coverages' in found ? 'coveragestore' : 'datastore'} not empty`)
  for (const name of resources.keys()) workspace.layers.delete(name)
  if ('coverages' in found) {
    workspace.coveragestores.delete(found.name)
    // A purge acts on mosaics: a GeoTIFF's file stays.
    if (ask.query.get('purge') === 'all' && found.type === 'ImageMosaic')
      state.purge(workspace.name, found.name)
  } else workspace.datastores.delete(found.name)
  return empty(200)
}
