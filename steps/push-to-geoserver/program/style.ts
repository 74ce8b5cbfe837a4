import { textBody, xml } from './body.ts'
import { call, type Server } from './client.ts'
import { layerGone, type Place } from './coverage.ts'
import { PushError } from './errors.ts'
import { find, rest } from './rest.ts'

/**
 * Keeps the SLD as a style of the workspace, named as the layer, and makes it the layer's default:
 * then legends, tiles and clients that name no style look right.
 */
export const publishStyle = async (server: Server, place: Place, sld: string): Promise<void> => {
  const { workspace, name } = place
  if (!(await find(server, 'workspaces', workspace, 'styles', name))) {
    const { status, words } = await call(server, {
      method: 'POST',
      path: rest('workspaces', workspace, 'styles'),
      body: xml(`<style><name>${name}</name><filename>${name}.sld</filename></style>`),
      // 403 and 500: another task of the inference was faster.
      expected: [201, 403, 500],
    })
    if (status !== 201 && !(await find(server, 'workspaces', workspace, 'styles', name)))
      throw new PushError(
        'geoserver.refused',
        `the style ${workspace}:${name} was refused: ${status} ${words}`.trim(),
      )
  }
  await call(server, {
    method: 'PUT',
    // Raw: kept as it is, where the server's own writer would drop the vendor options.
    path: `${rest('workspaces', workspace, 'styles', name)}?raw=true`,
    body: textBody('application/vnd.ogc.sld+xml; charset=UTF-8', sld),
    expected: [200],
  })
  const path = `${rest('layers', `${workspace}:${name}`)}.xml`
  const { status, words } = await call(server, {
    method: 'PUT',
    path,
    body: xml(
      `<layer><defaultStyle><name>${name}</name><workspace>${workspace}</workspace></defaultStyle></layer>`,
    ),
    expected: [200, 404, 500],
  })
  if (status === 200) return
  if (!(await find(server, 'layers', `${workspace}:${name}`))) throw layerGone(place)
  throw new PushError('geoserver.refused', `PUT ${path} answered ${status} ${words}`.trim())
}

/**
 * Takes the style away; not there is done. What another's layer is drawn by (403) stays: with
 * `recurse` GeoServer would give that layer another style.
 */
export const removeStyle = async (server: Server, { workspace, name }: Place): Promise<void> => {
  await call(server, {
    method: 'DELETE',
    path: `${rest('workspaces', workspace, 'styles', name)}?purge=true`,
    expected: [200, 403, 404],
  })
}
