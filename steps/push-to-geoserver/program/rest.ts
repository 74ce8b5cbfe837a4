import { xml } from './body.ts'
import { call, type Server } from './client.ts'
import { PushError } from './errors.ts'

/** A path below `/rest/`: names are encoded, and the suffix decides the form of the answer. */
export const rest = (...names: readonly string[]): string =>
  `rest/${names.map(encodeURIComponent).join('/')}`

/** The object that an answer holds. @throws PushError `geoserver.not_found` for anything else */
export const objectOf = (text: string, path: string): Record<string, any> => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Said below.
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new PushError(
    'geoserver.not_found',
    `GET ${path} answered no JSON: the address must be GeoServer's own, such as https://host/geoserver`,
  )
}

/** One thing as JSON, or undefined where it is not there; quietly, for the server's own log. */
export const find = async (
  server: Server,
  ...names: readonly string[]
): Promise<any | undefined> => {
  const path = `${rest(...names)}.json?quietOnNotFound=true`
  const { status, text } = await call(server, { method: 'GET', path, expected: [200, 404] })
  return status === 404 ? undefined : objectOf(text, path)
}

/** That a GeoServer answers there and knows the user. @returns its version, or '' where it may not be asked */
export const greet = async (server: Server): Promise<string> => {
  const path = 'rest/about/version.json'
  const { status, text } = await call(server, { method: 'GET', path, expected: [200, 403, 404] })
  // Who may publish to one workspace may be refused here.
  if (status === 403) return ''
  const resources = status === 200 && objectOf(text, path).about?.resource
  if (!resources)
    throw new PushError(
      'geoserver.not_found',
      `no GeoServer answers at ${server.url} (${status}): the address ends with its path, such as https://host/geoserver`,
    )
  const own = [resources].flat().find((part: any) => part['@name'] === 'GeoServer')
  return String(own?.Version ?? '')
}

/** Makes a workspace that is not there; several tasks may do so at once. */
export const workspace = async (server: Server, name: string): Promise<void> => {
  let last = ''
  for (let tries = 0; tries < 3; tries++) {
    if (await find(server, 'workspaces', name)) return
    const { status, words } = await call(server, {
      method: 'POST',
      path: rest('workspaces'),
      body: xml(`<workspace><name>${name}</name></workspace>`),
      // 409, and 401 before GeoServer 2.20: another task made it; 401 also while another login of
      // the user fails, so it is asked for again.
      expected: [201, 401, 409, 500],
    })
    if (status === 201) return
    last = `${status} ${words}`.trim()
  }
  if (await find(server, 'workspaces', name)) return
  throw new PushError('geoserver.refused', `POST workspaces answered ${last}`)
}

/** Tiles of older data go; where the layer is not cached, or GeoWebCache is not there, there are none. */
export const truncate = async (server: Server, layer: string): Promise<void> => {
  await call(server, {
    method: 'POST',
    path: 'gwc/rest/masstruncate',
    body: {
      ...xml(`<truncateLayer><layerName>${layer}</layerName></truncateLayer>`),
      type: 'text/xml',
    },
    expected: [200, 400, 403, 404, 500],
  })
}
