import { unzipSync } from 'fflate'
import { type Answer, type Ask, created, empty, list, parseBody, shown, text } from './http.ts'
import { tablesIn } from './geopackage.ts'
import { degrees } from './raster.ts'
import { shapeTable } from './shapefile.ts'
import type { DataStore, State, Table } from './state.ts'

/** The shapefiles of a folder; those in folders below it are not seen. */
const shapesIn = (folder: ReadonlyMap<string, Buffer>): Table[] =>
  [...folder].flatMap(([file, bytes]) => {
    const name = /^([^/\\]+)\.shp$/i.exec(file)?.[1]
    return name ? [shapeTable(name, bytes, folder.get(`${name}.prj`)?.toString())] : []
  })

/** `PUT /workspaces/{w}/datastores/{s}/file.{gpkg,shp}`. */
export const vectorUploads = (state: State, ask: Ask): Answer => {
  const [, name, , store, action] = ask.path as [string, string, string, string, string]
  const format = action.split('.')[1]!
  if (!['gpkg', 'shp'].includes(format)) return text(400, `Unsupported format: ${format}`)
  const folder = state.folder(name, store)
  let tables: Table[]
  try {
    if (format === 'shp') {
      folder.clear()
      for (const [file, bytes] of Object.entries(unzipSync(ask.body)))
        folder.set(file, Buffer.from(bytes))
      tables = shapesIn(folder)
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
  for (const { name: table } of tables) {
    made.types.set(table, { name: table, nativeName: table })
    state.workspaces.get(name)!.layers.set(table, { defaultStyle: { name: 'polygon' } })
  }
  return empty(made.types.size ? 201 : 202)
}

const put = (state: State, workspace: string, name: string, format: string, tables: Table[]) => {
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
    const names = store.tables.map((table) => table.name)
    if (which === 'all') return shown(ask, { list: { string: names } })
    if (which?.startsWith('available'))
      return shown(ask, {
        list: { string: names.filter((table) => !configured.includes(table)) },
      })
    const types = [...store.types.keys()].map((key) => ({ name: key }))
    return shown(ask, list('featureTypes', 'featureType', types))
  }
  const found = store.types.get(type)
  if (!found) return text(404, `No such feature type: ${workspace},${name},${type}`)
  if (ask.method === 'PUT') return empty(200)
  if (ask.method !== 'GET') return empty(405)
  const { epsg, box } = store.tables.find((table) => table.name === found.nativeName)!
  const srs = `EPSG:${epsg}`
  const [minx, miny, maxx, maxy] = degrees(box, srs)
  const latLonBoundingBox = { minx, miny, maxx, maxy, crs: 'EPSG:4326' }
  return shown(ask, { featureType: { ...found, srs, latLonBoundingBox } })
}

const publish = (state: State, ask: Ask, workspace: string, store: DataStore): Answer => {
  const { featureType: given } = parseBody(ask)
  const { name, nativeName = name } = given
  if (store.types.has(name)) return text(500, `Resource named '${name}' already exists`)
  // A table that is not there is made, empty: a wrong name is no error.
  if (!store.tables.some((table) => table.name === nativeName))
    store.tables.push({ name: nativeName, geometry: 'POLYGON', box: [0, 0, 0, 0], epsg: 4326 })
  store.types.set(name, { name, nativeName })
  state.workspaces.get(workspace)!.layers.set(name, { defaultStyle: { name: 'polygon' } })
  return { ...created('', `http://elsewhere.invalid/featuretypes/${name}`), text: '' }
}
