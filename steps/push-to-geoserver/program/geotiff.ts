import { fileBody } from './body.ts'
import { call, type Server } from './client.ts'
import { configure, coverage, type Place, renewBoxes } from './coverage.ts'
import { PushError } from './errors.ts'
import { rest } from './rest.ts'
import { store } from './store.ts'
import type { Transparency } from './transparency.ts'

const upload = async (server: Server, place: Place, path: string): Promise<string> => {
  const { status, words } = await call(server, {
    method: 'PUT',
    path: `${rest('workspaces', place.workspace, 'coveragestores', place.name)}/file.geotiff?coverageName=${encodeURIComponent(place.name)}`,
    body: fileBody('image/tiff', path),
    expected: [201, 400, 500],
  })
  return status === 201 ? '' : `${status} ${words}`.trim()
}

/**
 * Publishes the one raster of a layer without time: no index, and a second time replaces it.
 *
 * @returns warnings
 */
export const publishGeotiff = async (
  server: Server,
  place: Place,
  path: string,
  { mask, parameters }: Transparency,
): Promise<string[]> => {
  let why = await upload(server, place, path)
  if (why || !(await coverage(server, place))) {
    await (why ? store.remove : store.clear)(server, place)
    why = await upload(server, place, path)
  }
  if (why || !(await coverage(server, place))) {
    await store.remove(server, place)
    throw new PushError(
      'geoserver.unreadable',
      `${place.workspace}:${place.name}: GeoServer could not publish the GeoTIFF (${why || 'it made no coverage'})`,
    )
  }
  // The reader of one GeoTIFF looks at its mask without being told.
  await configure(server, place, { timed: false, parameters: mask ? {} : parameters })
  const warning = await renewBoxes(server, place, false)
  return warning ? [`${place.workspace}:${place.name}: ${warning}`] : []
}
