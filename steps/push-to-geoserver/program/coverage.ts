import { xml } from './body.ts'
import { call, type Server } from './client.ts'
import { PushError } from './errors.ts'
import { find, rest } from './rest.ts'

export type Box = [west: number, south: number, east: number, north: number]

/** A layer's place in GeoServer: store, coverage, layer and style all bear the one name. */
export interface Place {
  readonly workspace: string
  readonly name: string
}

/** Its layer vanished while it was published: what another try mends. */
export const layerGone = ({ workspace, name }: Place): PushError =>
  new PushError(
    'geoserver.layer_gone',
    `${workspace}:${name} went away while it was published: GeoServer lost its data, or somebody deleted it`,
  )

const path = ({ workspace, name }: Place): string[] => [
  ...['workspaces', workspace],
  ...['coveragestores', name],
  ...['coverages', name],
]

/** The published coverage; undefined where a store has none, or there is no store. */
export const coverage = (server: Server, place: Place): Promise<any | undefined> =>
  find(server, ...path(place))

export const TIME =
  '<metadata><entry key="time"><dimensionInfo>' +
  '<enabled>true</enabled><presentation>LIST</presentation><units>ISO8601</units>' +
  '<defaultValue><strategy>MINIMUM</strategy></defaultValue><nearestMatchEnabled>true</nearestMatchEnabled>' +
  '</dimensionInfo></entry></metadata>'

const put = (server: Server, place: Place, text: string, query: string, expected: number[]) =>
  call(server, {
    method: 'PUT',
    path: `${rest(...path(place))}.xml${query}`,
    body: xml(text),
    expected,
  })

const parametersXml = (parameters: Readonly<Record<string, string>>): string => {
  const entries = Object.entries(parameters).map(
    ([name, value]) => `<entry><string>${name}</string><string>${value}</string></entry>`,
  )
  return entries.length ? `<parameters>${entries.join('')}</parameters>` : ''
}

/**
 * Lets clients ask for a day, where the coverage has time (the nearest one answers where there is
 * none), and sets how its reader treats pixels without data.
 */
export const configure = async (
  server: Server,
  place: Place,
  { timed, parameters }: { timed: boolean; parameters: Readonly<Record<string, string>> },
): Promise<void> => {
  const settings = `${timed ? TIME : ''}${parametersXml(parameters)}`
  if (!settings) return
  const text = `<coverage><enabled>true</enabled>${settings}</coverage>`
  const { status } = await put(server, place, text, '', [200, 404])
  if (status === 404) throw layerGone(place)
}

/**
 * Has GeoServer read both boxes from the data anew: a new granule moves the native one alone, and
 * clients zoom by the other. The whole coverage is sent back, for the box is computed from it.
 *
 * @returns why that was refused, or that its time is not there; the layer is published all the same
 */
export const renewBoxes = async (
  server: Server,
  place: Place,
  timed: boolean,
): Promise<string | undefined> => {
  const got = await call(server, {
    method: 'GET',
    path: `${rest(...path(place))}.xml`,
    expected: [200, 404],
  })
  if (got.status === 404) return 'the coverage went away'
  if (!/<coverage[\s>]/.test(got.text)) return 'GeoServer does not show the coverage'
  const query = '?calculate=nativebbox,latlonbbox'
  const { status } = await put(server, place, got.text, query, [200, 400, 404, 500])
  if (status !== 200) return `GeoServer answered ${status} to the request for new boxes`
  if (timed && !/key="time"/.test(got.text)) return 'GeoServer took its time and does not show it'
  return undefined
}

/** Of a coverage or a feature type, in degrees; undefined where GeoServer does not say. */
export const boxOf = (resource: any): Box | undefined => {
  const { minx, miny, maxx, maxy } = resource?.latLonBoundingBox ?? {}
  const box = [minx, miny, maxx, maxy]
  return box.every((degrees) => Number.isFinite(degrees)) ? (box as Box) : undefined
}
