import { call, PAUSE_MS, type Server, wait } from './client.ts'
import { layerGone, type Place } from './coverage.ts'
import { find, rest } from './rest.ts'

/** On a cluster it may take seconds until every node has a layer. */
const LOOKS = 3

const shown = async (server: Server, place: Place): Promise<any> => {
  const name = `${place.workspace}:${place.name}`
  for (let looks = 0; looks < LOOKS; looks++) {
    if (looks) await wait(server, server.pause ?? PAUSE_MS)
    const found = await find(server, 'layers', name)
    if (found) return found.layer
  }
  throw layerGone(place)
}

/**
 * Looks at a published layer as clients will see it: a server that answered 200 may have done
 * nothing, or have lost it since.
 *
 * @returns what is wrong with its style, where it has one
 * @throws PushError `geoserver.layer_gone`
 */
export const confirm = async (
  server: Server,
  place: Place,
  sld: string,
): Promise<string | undefined> => {
  const layer = await shown(server, place)
  if (!sld) return undefined
  const { workspace, name } = place
  const style = String(layer?.defaultStyle?.name ?? 'none')
  const path = `${rest('workspaces', workspace, 'styles', name)}.sld`
  const { text } = await call(server, { method: 'GET', path, expected: [200, 404, 406, 500] })
  if (style.split(':').at(-1) === name && text.includes('StyledLayerDescriptor')) return undefined
  return `${workspace}:${name}: GeoServer took its style and does not draw by it (the default is ${style})`
}
