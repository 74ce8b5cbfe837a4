import { fileBody, xml } from './body.ts'
import { call, type Server } from './client.ts'
import { coverage, type Place, renewBoxes, TIME } from './coverage.ts'
import { PushError } from './errors.ts'
import { objectOf, rest } from './rest.ts'
import { store } from './store.ts'
import { escaped } from './xml.ts'

const below = ({ workspace, name }: Place): string =>
  rest('workspaces', workspace, 'coveragestores', name)

const upload = async (server: Server, place: Place, path: string): Promise<string> => {
  const { status, text, words } = await call(server, {
    method: 'PUT',
    path: `${below(place)}/file.netcdf?configure=none`,
    body: fileBody('application/x-netcdf', path),
    expected: [201, 400, 500],
  })
  if (status === 400 && /format/i.test(text))
    throw new PushError(
      'geoserver.no_netcdf',
      "this GeoServer reads no NetCDF: install its NetCDF extension, or publish the task's GeoTIFF",
    )
  return status === 201 ? '' : `${status} ${words}`.trim()
}

/** The reader's coverage that is meant, by name in any case; the only one where none is named. */
const nativeName = async (server: Server, place: Place, wanted: string | undefined) => {
  const path = `${below(place)}/coverages.json?list=all`
  const { text } = await call(server, { method: 'GET', path, expected: [200] })
  const names: string[] = [objectOf(text, path).list?.string ?? []].flat()
  const found = wanted
    ? names.find((name) => name.toLowerCase() === wanted.toLowerCase())
    : names.length === 1
      ? names[0]
      : undefined
  if (found) return found
  await store.remove(server, place)
  throw new PushError(
    'geoserver.no_coverage',
    `coverage_name: ${wanted ? `the file has no ${wanted}` : 'the file has several'}; it has ${names.join(', ') || 'none'}`,
  )
}

/**
 * Publishes one coverage of a NetCDF file, with its own times.
 *
 * @returns warnings
 */
export const publishNetcdf = async (
  server: Server,
  place: Place,
  path: string,
  wanted: string | undefined,
): Promise<string[]> => {
  if (await upload(server, place, path)) {
    await store.remove(server, place)
    const why = await upload(server, place, path)
    if (why) {
      await store.remove(server, place)
      throw new PushError(
        'geoserver.unreadable',
        `${place.workspace}:${place.name}: GeoServer could not read the NetCDF file (${why})`,
      )
    }
  }
  const native = await nativeName(server, place, wanted)
  if (!(await coverage(server, place))) {
    const { name } = place
    const { status, words } = await call(server, {
      method: 'POST',
      path: `${below(place)}/coverages.xml`,
      body: xml(
        `<coverage><name>${name}</name><title>${name}</title><nativeName>${escaped(native)}</nativeName>` +
          `<nativeCoverageName>${escaped(native)}</nativeCoverageName><enabled>true</enabled>${TIME}</coverage>`,
      ),
      expected: [201, 500],
    })
    if (status === 500 && !(await coverage(server, place))) {
      await store.remove(server, place)
      throw new PushError('geoserver.unreadable', `${native}: ${words}`)
    }
  }
  const warning = await renewBoxes(server, place, true)
  return warning ? [`${place.workspace}:${place.name}: ${warning}`] : []
}
