import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { unzipSync } from 'fflate'
import { addCoverage } from './coverages.ts'
import { type Answer, type Ask, empty, shown, text } from './http.ts'
import { harvest, openMosaic } from './mosaic.ts'
import { around, readRaster } from './raster.ts'
import type { CoverageStore, State } from './state.ts'

const FORMATS = { geotiff: 'GeoTIFF', imagemosaic: 'ImageMosaic', netcdf: 'NetCDF' } as const
type Format = keyof typeof FORMATS

/** The header is compared as a whole string. */
const isZip = (type: string): boolean =>
  ['application/zip', 'application/x-zip', 'application/x-zip-compressed'].includes(type)

/** Writes a body into the store's folder. @returns the names @throws Error for what is no zip */
const unpack = (folder: Map<string, Buffer>, ask: Ask, fallback: string): string[] => {
  const files = isZip(ask.type)
    ? Object.entries(unzipSync(ask.body)).filter(([name]) => !name.endsWith('/'))
    : [[ask.query.get('filename') ?? fallback, ask.body] as const]
  for (const [name, bytes] of files) folder.set(name, Buffer.from(bytes))
  return files.map(([name]) => name)
}

/** Rasters of an external folder, or the one file; undefined where it is not there. */
export const outside = (
  state: State,
  folder: Map<string, Buffer>,
  named: string,
): string[] | undefined => {
  const path = state.external(named.trim().replace(/^file:(\/\/)?/, ''))
  if (!path || !existsSync(path)) return undefined
  const files = statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, encoding: 'utf8' }).map((name) => join(path, name))
    : [path]
  const rasters = files.filter((file) => /(^|\/)[^./][^/]*\.tif$/.test(file))
  for (const file of rasters) folder.set(basename(file), readFileSync(file))
  return rasters.map((file) => basename(file))
}

/** `PUT|POST /workspaces/{w}/coveragestores/{s}/{method}.{format}`. */
export const uploads = async (state: State, ask: Ask): Promise<Answer> => {
  const [, name, , store, action] = ask.path as [string, string, string, string, string]
  const [method, format] = action.split('.') as [string, Format]
  const workspace = state.workspaces.get(name)
  if (ask.method === 'POST') return add(state, ask, method)
  if (!(format in FORMATS))
    return text(
      400,
      `Unsupported format: ${format}, available formats are: ${Object.keys(FORMATS)}`,
    )
  // The file is written before anything is looked up.
  const folder = state.folder(name, store)
  if (method === 'external' && !outside(state, folder, ask.body.toString()))
    return text(400, 'not a readable folder')
  try {
    if (method === 'file' && format === 'geotiff') folder.clear()
    if (method === 'file') unpack(folder, ask, `${store}.${format}`)
  } catch (error) {
    return text(500, `Error while storing uploaded file: ${(error as Error).message}`)
  }
  if (!workspace) return text(500, `Could not find workspace '${name}'`)
  const bare =
    isZip(ask.type) && ![...folder.keys()].some((file) => /\.(tiff?|properties)$/i.test(file))
  if (format === 'imagemosaic' && bare)
    return text(400, 'Could not find appropriate imagemosaic file in archive')
  if (state.version === '3.0.0' && method === 'file') {
    const why = await unreadable(state, name, store, format)
    if (why) return text(500, `Error while storing uploaded file: ${why}`)
  }
  const known = workspace.coveragestores.get(store)
  const made: CoverageStore = known ?? {
    ...{ name: store, type: FORMATS[format], enabled: true, coverages: new Map() },
    url: method === 'external' ? ask.body.toString() : `file:data/${name}/${store}`,
  }
  // The store is in the catalogue before its reader is opened.
  workspace.coveragestores.set(store, made)
  if (ask.query.get('configure') === 'none') return configureNone(state, name, store, format)
  try {
    await configure(state, workspace.name, made, ask.query.get('coverageName') ?? undefined)
  } catch (error) {
    return text(500, (error as Error).message)
  }
  const answer = {
    coverageStore: {
      name: store,
      type: made.type,
      enabled: true,
      workspace: { name },
      url: made.url,
    },
  }
  return shown(ask, answer, 'xml', 201)
}

/** Newer servers try the files before they make the store. */
const unreadable = async (state: State, workspace: string, store: string, format: Format) => {
  if (format === 'netcdf') return undefined
  const opened =
    format === 'imagemosaic'
      ? openMosaic(state, workspace, store)
      : readRaster([...state.folder(workspace, store).values()][0]!)
  return opened.then(
    () => undefined,
    (error: Error) => error.message,
  )
}

const configureNone = async (state: State, workspace: string, store: string, format: Format) => {
  if (format === 'imagemosaic') await openMosaic(state, workspace, store).catch(() => undefined)
  return empty(201)
}

const configure = async (
  state: State,
  workspace: string,
  store: CoverageStore,
  as: string | undefined,
) => {
  if (store.type === 'NetCDF') throw new Error('coverageName is needed: the file has several')
  if (store.type === 'GeoTIFF') {
    const raster = await readRaster([...state.folder(workspace, store.name).values()][0]!)
    const name = as ?? store.name
    return void addCoverage(state, workspace, store, { name, nativeName: store.name }, [raster])
  }
  const called = basename(store.url)
  const index = await openMosaic(state, workspace, store.name, called)
  const name = as ?? index.name
  if (store.coverages.has(name) || !index.granules.length) return
  addCoverage(state, workspace, store, { name, nativeName: index.name }, index.granules)
}

/** A harvest: 202 whatever comes of it. */
const add = async (state: State, ask: Ask, method: string): Promise<Answer> => {
  const [, name, , store] = ask.path as [string, string, string, string]
  const found = state.workspaces.get(name)?.coveragestores.get(store)
  if (!found) return text(404, `No such coverage store: ${name},${store}`)
  if (found.type !== 'ImageMosaic') return empty(405)
  const folder = state.folder(name, store)
  try {
    const names =
      method === 'file'
        ? unpack(folder, ask, `${store}.tif`)
        : (outside(state, folder, ask.body.toString()) ?? [])
    await harvest(state, name, store, names)
  } catch {
    return empty(202)
  }
  if (ask.query.get('updateBBox') === 'true') {
    const index = state.index(name, store)
    const boxes = index?.granules.map(({ box }) => box) ?? []
    const own = found.coverages.get(index?.name ?? '')
    // The native box alone.
    if (own && boxes.length) own.native = around(boxes)
  }
  return empty(202)
}
