import { call, type Server } from './client.ts'
import type { Place } from './coverage.ts'
import { PushError } from './errors.ts'
import { objectOf, rest } from './rest.ts'
import { removeStyle } from './style.ts'

const removed = async (
  server: Server,
  kind: 'coveragestores' | 'datastores',
  { workspace, name }: Place,
): Promise<boolean> => {
  const path = `${rest('workspaces', workspace, kind, name)}.json?recurse=true&purge=all`
  // The catalogue goes first: after a 500 the store may be gone, and another call says so.
  const remove = () => call(server, { method: 'DELETE', path, expected: [200, 404, 500] })
  const first = await remove()
  if (first.status !== 500) return first.status === 200
  await call(server, { method: 'DELETE', path, expected: [200, 404] })
  return true
}

/** Files that a purge leaves: it acts on mosaics alone. Not every server lets a client do this. */
const removeFiles = (server: Server, { workspace, name }: Place) =>
  call(server, {
    method: 'DELETE',
    path: rest('resource', 'data', workspace, name),
    expected: [200, 403, 404, 405, 500],
  })

/** Names of a vector store's published tables. */
const typesOf = async (server: Server, { workspace, name }: Place): Promise<string[]> => {
  const path = `${rest('workspaces', workspace, 'datastores', name, 'featuretypes')}.json`
  const { status, text } = await call(server, { method: 'GET', path, expected: [200, 404, 500] })
  const listed = status === 200 ? objectOf(text, path).featureTypes?.featureType : []
  return [listed ?? []].flat().map((type: { name: string }) => type.name)
}

/**
 * Whether the store has coverages, asked another way: a proxy may have answered 404 for the server,
 * and what other tasks published there is not to be emptied for that.
 */
const isEmpty = async (server: Server, { workspace, name }: Place): Promise<boolean> => {
  const path = `${rest('workspaces', workspace, 'coveragestores', name, 'coverages')}.json`
  const { status, text } = await call(server, { method: 'GET', path, expected: [200, 404, 500] })
  return status !== 200 || !objectOf(text, path).coverages?.coverage?.length
}

/** What is known of a store: its layer, its index and its files. */
export const store = {
  /** Takes a raster store away with its coverage, layer, index and files; not there is done. */
  remove: async (server: Server, place: Place): Promise<boolean> => {
    const was = await removed(server, 'coveragestores', place)
    await removeFiles(server, place)
    return was
  },
  /** Takes away what a failed try left. @throws PushError `geoserver.refused` where it has a coverage */
  clear: async (server: Server, place: Place): Promise<void> => {
    if (await isEmpty(server, place)) return void (await store.remove(server, place))
    throw new PushError(
      'geoserver.refused',
      `${place.workspace}:${place.name}: its coverage answers 404 and the store lists it: is a proxy between?`,
    )
  },
  removeVectors: async (server: Server, place: Place): Promise<boolean> => {
    const types = await typesOf(server, place)
    const was = await removed(server, 'datastores', place)
    await removeFiles(server, place)
    // Each further table is a layer with a style of its own.
    for (const name of types.filter((type) => type.startsWith(`${place.name}-`)))
      await removeStyle(server, { ...place, name })
    return was
  },
}
