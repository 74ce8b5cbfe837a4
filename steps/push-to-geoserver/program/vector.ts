import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { fileBody, fileEntry, xml, zipBody } from './body.ts'
import { type Body, call, type Server } from './client.ts'
import type { Place } from './coverage.ts'
import { plainName } from './date.ts'
import { PushError } from './errors.ts'
import { find, objectOf, rest } from './rest.ts'
import { store } from './store.ts'
import { namesIn } from './zip-names.ts'
import { escaped } from './xml.ts'

const below = ({ workspace, name }: Place): string =>
  rest('workspaces', workspace, 'datastores', name)

/** Files of a shapefile that lie beside each other, as the flat zip that GeoServer takes. */
const shapefile = (path: string): Promise<Body> => {
  const stem = basename(path, extname(path))
  const parts = readdirSync(dirname(path)).filter(
    (name) =>
      name.slice(0, -extname(name).length) === stem && /\.(shp|shx|dbf|prj|cpg)$/i.test(name),
  )
  for (const ending of ['.shx', '.dbf'])
    if (!parts.some((name) => name.toLowerCase().endsWith(ending)))
      throw new PushError(
        'geoserver.bad_shapefile',
        `${stem}${ending} is missing beside ${stem}.shp`,
      )
  return zipBody(parts.map((name) => fileEntry(join(dirname(path), name))))
}

const zipOf = async (path: string): Promise<Body> => {
  if (/\.shp$/i.test(path)) return shapefile(path)
  const names = await namesIn(path)
  const folder = names.find((name) => /[\\/]/.test(name))
  if (folder)
    throw new PushError(
      'geoserver.bad_shapefile',
      `${basename(path)} holds ${folder}: GeoServer finds no features in folders of a zip; zip the files themselves`,
    )
  if (!names.some((name) => /\.shp$/i.test(name)))
    throw new PushError('geoserver.bad_shapefile', `${basename(path)} holds no .shp file`)
  return fileBody('application/zip', path)
}

const upload = async (server: Server, place: Place, path: string): Promise<string> => {
  const geopackage = /\.gpkg$/i.test(path)
  const { status, words } = await call(server, {
    method: 'PUT',
    path: `${below(place)}/file.${geopackage ? 'gpkg' : 'shp'}?configure=none`,
    body: geopackage ? fileBody('application/x-sqlite3', path) : await zipOf(path),
    expected: [201, 202, 400, 500],
  })
  return status === 201 || status === 202 ? '' : `${status} ${words}`.trim()
}

const typesIn = async (server: Server, place: Place): Promise<string[]> => {
  const list = async (which: string): Promise<string[]> => {
    const path = `${below(place)}/featuretypes.json?list=${which}`
    const { status, text } = await call(server, { method: 'GET', path, expected: [200, 500] })
    return status === 200 ? [objectOf(text, path).list?.string ?? []].flat() : []
  }
  // `available` are those that are not published yet: a second try finds the others configured.
  return [...new Set(await list('all'))]
}

/** Publishes one table; a second time it is there already, and its box is read anew. */
const publishType = async (server: Server, place: Place, name: string, table: string) => {
  const types = `${below(place)}/featuretypes`
  const there = () =>
    find(server, 'workspaces', place.workspace, 'datastores', place.name, 'featuretypes', name)
  if (await there())
    await call(server, {
      method: 'PUT',
      path: `${types}/${encodeURIComponent(name)}.xml?recalculate=nativebbox,latlonbbox`,
      body: xml('<featureType><enabled>true</enabled></featureType>'),
      expected: [200, 500],
    })
  else {
    const { status, words } = await call(server, {
      method: 'POST',
      path: `${types}.xml`,
      body: xml(
        `<featureType><name>${name}</name><nativeName>${escaped(table)}</nativeName><title>${name}</title><enabled>true</enabled></featureType>`,
      ),
      expected: [201, 500],
    })
    if (status === 500 && !(await there()))
      throw new PushError(
        'geoserver.unreadable',
        `${table}: GeoServer could not publish the features (${words})`,
      )
  }
  return there()
}

/**
 * Publishes a GeoPackage or a Shapefile (a flat zip, or its files beside each other): the one table
 * under the layer's name, further ones with their own name behind it.
 *
 * @returns the published feature types, in the file's order
 */
export const publishVectors = async (
  server: Server,
  place: Place,
  path: string,
): Promise<{ name: string; type: any }[]> => {
  if (!existsSync(path)) throw new PushError('geoserver.unreadable', `${basename(path)} is missing`)
  let why = await upload(server, place, path)
  let tables = why ? [] : await typesIn(server, place)
  if (!tables.length) {
    await store.removeVectors(server, place)
    why = await upload(server, place, path)
    tables = why ? [] : await typesIn(server, place)
  }
  if (!tables.length) {
    await store.removeVectors(server, place)
    throw new PushError(
      'geoserver.unreadable',
      `${place.workspace}:${place.name}: GeoServer found no features in ${basename(path)}${why ? ` (${why})` : ''}`,
    )
  }
  const published: { name: string; type: any }[] = []
  for (const [n, table] of tables.entries()) {
    const own = plainName(`${place.name}-${table.replace(/[^\w-]/g, '_')}`)
    const taken = published.some(({ name }) => name === own)
    const name = n ? `${own}${taken ? `_${n}` : ''}` : place.name
    published.push({ name, type: await publishType(server, place, name, table) })
  }
  return published
}
