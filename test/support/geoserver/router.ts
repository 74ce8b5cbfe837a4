import { coverages } from './coverages.ts'
import { type Answer, type Ask, empty, shown, text } from './http.ts'
import type { State } from './state.ts'
import { stores, workspaces } from './stores.ts'
import { cache, layers, styles } from './styles.ts'
import { uploads } from './uploads.ts'
import { featureTypes, vectorUploads } from './vectors.ts'

const UPLOAD = /^(file|url|external|remote)\.\w+$/

const about = (state: State, ask: Ask): Answer =>
  shown(ask, {
    about: {
      resource: [
        { '@name': 'GeoServer', Version: state.version },
        { '@name': 'GeoTools', Version: '34.1' },
      ],
    },
  })

/** Files of the data folder. */
const resource = (state: State, ask: Ask): Answer => {
  const [, data, workspace, store] = ask.path as string[]
  const key = `${workspace}/${store}`
  if (data !== 'data' || !state.files.has(key)) return text(404, 'Undefined resource path.')
  if (ask.method !== 'DELETE') return empty(200)
  state.purge(workspace!, store!)
  return empty(200)
}

const inWorkspace = (state: State, ask: Ask): Answer | Promise<Answer> => {
  const [, , kind, , action] = ask.path as string[]
  const upload = action !== undefined && UPLOAD.test(action)
  if (kind === 'coveragestores') {
    if (upload && (ask.method === 'PUT' || ask.method === 'POST')) return uploads(state, ask)
    return action === 'coverages' ? coverages(state, ask) : stores(state, ask)
  }
  if (kind === 'datastores') {
    if (upload && ask.method === 'PUT') return vectorUploads(state, ask)
    return action === 'featuretypes' ? featureTypes(state, ask) : stores(state, ask)
  }
  if (kind === 'wmsstores' || kind === 'wmtsstores') {
    const outer = kind === 'wmsstores' ? 'wmsStores' : 'wmtsStores'
    return shown(ask, { [outer]: '' })
  }
  if (kind === 'styles') return styles(state, ask)
  if (kind === 'layers') return layers(state, ask)
  if (kind === 'coverages') return direct(state, ask)
  return kind === undefined ? workspaces(state, ask) : text(404)
}

/** `/workspaces/{w}/coverages`: the store is said in the body, or has the coverage's name. */
const direct = (state: State, ask: Ask): Answer => {
  const [, workspace, , coverage] = ask.path as string[]
  const held = state.workspaces.get(workspace!)?.coveragestores
  if (!held) return text(404, `No such workspace: '${workspace}' found`)
  const store = [...held.values()].find(({ coverages: own }) => coverage && own.has(coverage))
  const named = store?.name ?? coverage ?? bodyStore(ask)
  if (coverage !== undefined && !store)
    return text(404, `No such coverage: ${workspace},${coverage}`)
  const path = ['workspaces', workspace!, 'coveragestores', named ?? '', 'coverages']
  return coverages(state, { ...ask, path: coverage === undefined ? path : [...path, coverage] })
}
const bodyStore = (ask: Ask): string | undefined =>
  /"name"\s*:\s*"(?:[^":]+:)?([^"]+)"/.exec(
    /"store"[^}]*/.exec(ask.body.toString())?.[0] ?? '',
  )?.[1]

/** What GeoServer's REST answers. @throws Error, which becomes a 500 */
export const route = (state: State, base: 'rest' | 'gwc', ask: Ask): Answer | Promise<Answer> => {
  if (base === 'gwc') return cache(state, ask)
  const [head, second] = ask.path
  if (head === 'about') return about(state, ask)
  if (head === 'resource') return resource(state, { ...ask, path: ask.path })
  if (head === 'styles') return styles(state, ask)
  if (head === 'layers') return layers(state, ask)
  if (head === 'services' || head === 'settings') return empty(200)
  if (head === 'reload' || head === 'reset') return empty(ask.method === 'GET' ? 405 : 200)
  if (head === 'namespaces') return workspaces(state, ask)
  if (head === 'workspaces')
    return second === undefined ? workspaces(state, ask) : inWorkspace(state, ask)
  return state.version === '3.0.0'
    ? {
        status: 404,
        type: 'application/problem+json',
        text: JSON.stringify({
          detail: 'No endpoint',
          instance: `/rest/${ask.path.join('/')}`,
          status: 404,
          title: 'Not Found',
        }),
      }
    : text(404, 'No such endpoint')
}
