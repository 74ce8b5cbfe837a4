import { readRaster } from './raster.ts'
import type { Granule, Index, State } from './state.ts'

const isRaster = (name: string): boolean => /\.tiff?$/i.test(name)

/** Of a java.util.Properties file. */
const properties = (text: string | undefined): Record<string, string> =>
  Object.fromEntries(
    (text ?? '').split(/\r?\n/).flatMap((line) => {
      const at = line.indexOf('=')
      return at > 0 && !line.startsWith('#') ? [[line.slice(0, at).trim(), line.slice(at + 1)]] : []
    }),
  )

export interface Settings {
  readonly timed: boolean
  readonly regex: RegExp | undefined
  readonly canBeEmpty: boolean
  readonly name: string | undefined
}

/** The indexer in the folder rules, also for what is added later. */
export const settingsOf = (folder: ReadonlyMap<string, Buffer>): Settings => {
  const indexer = properties(folder.get('indexer.properties')?.toString())
  const { regex } = properties(folder.get('timeregex.properties')?.toString())
  return {
    timed: indexer.TimeAttribute !== undefined,
    regex: regex === undefined ? undefined : new RegExp(regex.split(',')[0]!),
    canBeEmpty: indexer.CanBeEmpty === 'true',
    name: indexer.Name?.trim(),
  }
}

/** The first match in the base name, read leniently: 2024-02-31 is the second of March. */
const timeOf = (name: string, { regex }: Settings): string => {
  const found = regex?.exec(name.replace(/\.[^.]*$/, ''))?.[0]
  const [year, month, day] = (found ?? '').split('-').map(Number)
  if (!year) throw new Error(`No matches found for the time in ${name}`)
  return new Date(Date.UTC(year, month! - 1, day)).toISOString().slice(0, 10)
}

const granuleOf = async (name: string, bytes: Buffer, settings: Settings): Promise<Granule> => ({
  location: name,
  time: settings.timed ? timeOf(name, settings) : null,
  ...(await readRaster(bytes)),
})

/**
 * Builds the index of a folder that has none; one that lies there is used as it is.
 *
 * @throws Error where a name has no date, or nothing can be read
 */
export const openMosaic = async (
  state: State,
  workspace: string,
  store: string,
  called = store,
): Promise<Index> => {
  const known = state.index(workspace, store)
  if (known) return known
  const folder = state.folder(workspace, store)
  const settings = settingsOf(folder)
  const name = settings.name ?? called
  const index: Index = { name, timed: settings.timed, granules: [] }
  for (const [file, bytes] of folder) {
    if (!isRaster(file)) continue
    if (settings.timed) timeOf(file, settings)
    await granuleOf(file, bytes, settings).then(
      (granule) => fits(index, granule) && index.granules.push(granule),
      () => undefined, // what can't be read is left out
    )
  }
  if (!index.granules.length && !settings.canBeEmpty)
    throw new Error('Could not acquire reader for coverage.')
  state.indexes.set(`${workspace}/${store}`, index)
  return index
}

const fits = ({ granules }: Index, granule: Granule): boolean => {
  const [first] = granules
  return !first || (first.epsg === granule.epsg && first.bands === granule.bands)
}

/** Adds granules by the rules of a harvest: one failure rolls all back, and nobody is told. */
export const harvest = async (
  state: State,
  workspace: string,
  store: string,
  names: readonly string[],
): Promise<void> => {
  const index = state.index(workspace, store)
  if (!index) return
  const folder = state.folder(workspace, store)
  const settings = settingsOf(folder)
  try {
    const found: Granule[] = []
    for (const name of names.filter(isRaster))
      found.push(await granuleOf(name, folder.get(name)!, settings))
    for (const granule of found) {
      const same = index.granules.findIndex(({ location }) => location === granule.location)
      if (same >= 0) index.granules.splice(same, 1)
      if (fits(index, granule)) index.granules.push(granule)
    }
  } catch {
    // Logged on the server alone.
  }
}
