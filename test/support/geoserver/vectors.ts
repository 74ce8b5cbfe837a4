import { unzipSync } from 'fflate'
import { type Answer, type Ask, created, empty, list, parseBody, shown, text } from './http.ts'
import type { DataStore, State } from './state.ts'

/** Tables of a GeoPackage, by the rows of gpkg_contents as SQLite stores short texts. */
const tablesIn = (gpkg: Buffer): string[] => {
  if (!gpkg.subarray(0, 15).equals(Buffer.from('SQLite format 3')))
    throw new Error('Could not open the database')
  const created = [...gpkg.toString('latin1').matchAll(/CREATE TABLE "([^"]+)" \( "fid"/g)]
  return created.map(([, name]) => name!)
}

/** `PUT /workspaces/{w}/datastores/{s}/file.{gpkg,shp}`. */
export const vectorUploads = (state: State, ask: Ask): Answer => {
  const [, name, , store, action] = ask.path as [string, string, string, string, string]
  const format = action.split('.')[1]!
  if (!['gpkg', 'shp'].includes(format)) return text(400, `Unsupported format: ${format}`)
  const folder = state.folder(name, store)
  let tables: string[]
  try {
    if (format === 'shp') {
      folder.clear()
      for (const [file, bytes] of Object.entries(unzipSync(ask.body)))
        folder.set(file, Buffer.from(bytes))
      tables = [...folder.keys()].flatMap((file) => /^([^/\\]+)\.shp$/i.exec(file)?.[1] ?? [])
    } else {
      folder.set(ask.query.get('filename') ?? `${store}.gpkg`, ask.body)
      tables = tablesIn(ask.body)
    }
  } catch (error) {
    tables = []
    if (!state.workspaces.has(name)) return text(500, 'no workspace')
    put(state, name, store, format, tables)
    return text(500, (error as Error).message)
  }
  if (!state.workspaces.has(name)) return text(500, `Could not find workspace '${name}'`)
  const made = put(state, name, store, format, tables)
  if (ask.query.get('configure') === 'none') return empty(201)
  for (const table of tables) {
    made.types.set(table, { name: table, nativeName: table })
    state.workspaces.get(name)!.layers.set(table, { defaultStyle: { name: 'polygon' } })
  }
  return empty(made.types.size ? 201 : 202)
}

const put = (state: State, workspace: string, name: string, format: string, tables: string[]) => {
  const held = state.workspaces.get(workspace)!.datastores
  const type = format === 'gpkg' ? ('GeoPackage' as const) : ('Shapefile' as const)
  const made: DataStore = held.get(name) ?? { name, type, tables, types: new Map() }
  made.tables = tables
  held.set(name, made)
  return made
}

/** `/workspaces/{w}/datastores/{d}/featuretypes...`. */
export const featureTypes = (state: State, ask: Ask): Answer => {
  const [, workspace, , name, , type] = ask.path as string[]
  const store = state.workspaces.get(workspace!)?.datastores.get(name!)
  if (!store) return text(404, `No such datastore: ${workspace},${name}`)
  if (type === undefined) {
    if (ask.method === 'POST') return publish(state, ask, workspace!, store)
    const configured = [...store.types.values()].map(({ nativeName }) => nativeName)
    const which = ask.query.get('list')
    if (which === 'all') return shown(ask, { list: { string: store.tables } })
    if (which?.startsWith('available'))
      return shown(ask, {
        list: { string: store.tables.filter((table) => !configured.includes(table)) },
      })
    const names = [...store.types.keys()].map((key) => ({ name: key }))
    return shown(ask, list('featureTypes', 'featureType', names))
  }
  const found = store.types.get(type)
  if (!found) return text(404, `No such feature type: ${workspace},${name},${type}`)
  if (ask.method === 'PUT') return empty(200)
  if (ask.method !== 'GET') return empty(405)
  const box = { minx: -1, miny: 38, maxx: 0, maxy: 39, crs: 'EPSG:4326' }
  return shown(ask, { featureType: { ...found, srs: 'EPSG:4326', latLonBoundingBox: box } })
}

const publish = (state: State, ask: Ask, workspace: string, store: DataStore): Answer => {
  const { featureType: given } = parseBody(ask)
  const { name, nativeName = name } = given
  if (store.types.has(name)) return text(500, `Resource named '${name}' already exists`)
  // A table that is not there is made, empty: a wrong name is no error.
  if (!store.tables.includes(nativeName)) store.tables.push(nativeName)
  store.types.set(name, { name, nativeName })
  state.workspaces.get(workspace)!.layers.set(name, { defaultStyle: { name: 'polygon' } })
  return { ...created('', `http://elsewhere.invalid/featuretypes/${name}`), text: '' }
}
