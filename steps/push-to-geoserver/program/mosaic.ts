import { fileBody, fileEntry, textEntry, zipBody } from './body.ts'
import { call, type Server } from './client.ts'
import { configure, coverage, layerGone, type Place, renewBoxes } from './coverage.ts'
import { PushError } from './errors.ts'
import { objectOf, rest } from './rest.ts'
import { store } from './store.ts'
import type { Transparency } from './transparency.ts'

/** One raster for a mosaic. */
export interface Granule {
  /** File to read */
  readonly path: string
  /** Its name in the mosaic; begins with the day where it has one */
  readonly name: string
  readonly timed: boolean
  readonly transparency: Transparency
}

const REGEX = 'regex=[0-9]{4}-[0-9]{2}-[0-9]{2}\n'
const INDEXER =
  'TimeAttribute=time\nSchema=*the_geom:Polygon,location:String,time:java.util.Date\n' +
  'PropertyCollectors=TimestampFileNameExtractorSPI[timeregex](time)\n' +
  // Granules are added later: a reader that remembers the first index would not see them.
  'Caching=false\n'

/** The masks inside the granules are their footprints. */
const FOOTPRINTS = 'footprint_source=raster\n'

const below = ({ workspace, name }: Place): string =>
  rest('workspaces', workspace, 'coveragestores', name)

/** How often the index has the granule: once is right. */
const indexed = async (server: Server, place: Place, granule: Granule): Promise<number> => {
  const filter = encodeURIComponent(`location='${granule.name.replaceAll("'", "''")}'`)
  const path = `${below(place)}/coverages/${encodeURIComponent(place.name)}/index/granules.json?filter=${filter}`
  const { status, text } = await call(server, { method: 'GET', path, expected: [200, 404] })
  return status === 200 ? (objectOf(text, path).features ?? []).length : 0
}

/** The first granule comes with the mosaic's own files, in one zip. */
const create = async (server: Server, place: Place, granule: Granule): Promise<string> => {
  const properties = granule.timed
    ? [textEntry('indexer.properties', INDEXER), textEntry('timeregex.properties', REGEX)]
    : [textEntry('indexer.properties', 'Caching=false\n')]
  if (granule.transparency.mask) properties.push(textEntry('footprints.properties', FOOTPRINTS))
  const body = await zipBody([fileEntry(granule.path, granule.name), ...properties])
  const { status, words } = await call(server, {
    method: 'PUT',
    path: `${below(place)}/file.imagemosaic?coverageName=${encodeURIComponent(place.name)}`,
    body,
    expected: [201, 400, 500],
    settled: async () => (await coverage(server, place)) !== undefined,
  })
  return status === 201 ? '' : `${status} ${words}`.trim()
}

/**
 * Makes the mosaic where it is not there.
 *
 * GeoServer adds the store before it opens the raster, so a store alone says nothing: the coverage
 * does. What a failed try left is emptied, once; what fails again is taken away.
 */
const ensure = async (server: Server, place: Place, granule: Granule): Promise<boolean> => {
  if (await coverage(server, place)) return false
  await create(server, place, granule)
  if (await coverage(server, place)) return true
  await store.clear(server, place)
  const why = await create(server, place, granule)
  if (await coverage(server, place)) return true
  await store.clear(server, place)
  throw new PushError(
    'geoserver.unreadable',
    `${place.workspace}:${place.name}: GeoServer could not publish ${granule.name} (${why || 'it made no coverage'})`,
  )
}

const add = async (server: Server, place: Place, granule: Granule): Promise<void> => {
  const { status } = await call(server, {
    method: 'POST',
    path: `${below(place)}/file.geotiff?filename=${encodeURIComponent(granule.name)}&updateBBox=true`,
    body: fileBody('image/tiff', granule.path),
    expected: [200, 201, 202, 404, 405, 500],
    settled: async () => (await indexed(server, place, granule)) === 1,
  })
  if (status === 404) throw layerGone(place)
  if (status === 405)
    throw new PushError(
      'geoserver.not_a_mosaic',
      `${place.workspace}:${place.name} is there and no mosaic: delete it, or choose another layer_name`,
    )
}

/** Whether the mosaic's index has a column of time. */
const isTimed = async (server: Server, place: Place): Promise<boolean | undefined> => {
  const { status, text } = await call(server, {
    method: 'GET',
    path: `${below(place)}/coverages/${encodeURIComponent(place.name)}/index.json`,
    expected: [200, 404],
  })
  return status === 200 ? /"name"\s*:\s*"time"/.test(text) : undefined
}

const agree = async (server: Server, place: Place, granule: Granule): Promise<void> => {
  const timed = await isTimed(server, place)
  if (timed === undefined || timed === granule.timed) return
  throw new PushError(
    'geoserver.time_mismatch',
    timed
      ? `${place.workspace}:${place.name} has time and ${granule.name} has no date: give each scene its day in temporal_domain`
      : `${place.workspace}:${place.name} was made of files without a date and ${granule.name} has one: give each scene its day in temporal_domain`,
  )
}

/**
 * Publishes a raster as one granule of a mosaic; the same name replaces, another one adds.
 *
 * Every request may be repeated, and what several tasks do at once adds up: after a stop at any
 * point the same calls complete it.
 *
 * @returns warnings
 */
export const publishMosaic = async (
  server: Server,
  place: Place,
  granule: Granule,
): Promise<string[]> => {
  const made = await ensure(server, place, granule)
  // Another task may have been faster: then the mosaic that was there took no new granule in.
  if (!made || (await indexed(server, place, granule)) === 0) {
    await agree(server, place, granule)
    await add(server, place, granule)
  }
  if ((await indexed(server, place, granule)) === 0)
    throw new PushError(
      'geoserver.granule_missing',
      `GeoServer accepted ${granule.name} and left it out of ${place.workspace}:${place.name}: its CRS or its number of bands differs from the layer's, or GeoServer cannot read it`,
    )
  const { timed, transparency } = granule
  await configure(server, place, { timed, parameters: transparency.parameters })
  const warning = await renewBoxes(server, place, timed)
  return warning ? [`${place.workspace}:${place.name}: ${warning}`] : []
}
