import type { Server } from './client.ts'
import type { Place } from './coverage.ts'
import { store } from './store.ts'
import { removeStyle } from './style.ts'

/**
 * Takes published layers away: store, index, files and style. What is not there is done, so that it
 * may be called for layers that were never published, and again.
 *
 * @returns the layers that were there, `workspace:name`
 * @throws PushError `geoserver.*`
 */
export const remove = async (server: Server, places: readonly Place[]): Promise<string[]> => {
  const gone: string[] = []
  for (const place of places) {
    const raster = await store.remove(server, place)
    const vector = await store.removeVectors(server, place)
    await removeStyle(server, place)
    if (raster || vector) gone.push(`${place.workspace}:${place.name}`)
  }
  return gone
}
