import { call, type Server } from './client.ts'
import type { Place } from './coverage.ts'
import { rest } from './rest.ts'

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

/** What is known of a store: its layer, its index and its files. */
export const store = {
  /** Takes a raster store away with its coverage, layer, index and files; not there is done. */
  remove: async (server: Server, place: Place): Promise<boolean> => {
    const was = await removed(server, 'coveragestores', place)
    await removeFiles(server, place)
    return was
  },
  removeVectors: async (server: Server, place: Place): Promise<boolean> => {
    const was = await removed(server, 'datastores', place)
    await removeFiles(server, place)
    return was
  },
}
