import type { Server } from './client.ts'
import { confirm } from './confirm.ts'
import type { Box } from './coverage.ts'
import { PushError } from './errors.ts'
import {
  checkFiles,
  type Given,
  type Layer,
  publish,
  type Published,
  type Push,
  reasonToSkip,
} from './layer.ts'
import { find, greet, truncate, workspace } from './rest.ts'
import { sldOf } from './sld.ts'
import { publishStyle } from './style.ts'

export type { Given, Push }

/** What of one inference's push a client shows on its map. */
export interface Report {
  predicted_layers: Record<string, unknown>[]
  bboxes: Box[]
  skipped: { layer_name: string; reason: string }[]
  warnings: string[]
}

/** Failures that a server without its data gives as well. */
const LOST = ['refused', 'unreadable', 'granule_missing', 'no_coverage'].map(
  (x) => `geoserver.${x}`,
)

/** A failure with what it leaves: the layers before it, and whether the server lost its data. */
const explained = async (
  server: Server,
  layer: Layer,
  before: readonly Shown[],
  error: unknown,
): Promise<unknown> => {
  if (!(error instanceof PushError)) return error
  const { code, message } = error
  const there = () => find(server, 'workspaces', layer.workspace).catch(() => true)
  const gone = LOST.includes(code) && !(await there())
  const lost = gone ? `; the workspace ${layer.workspace} is gone: GeoServer lost its data` : ''
  const uris = before.map(({ place }) => `${place.workspace}:${place.name}`)
  const published = uris.length ? `; published before it: ${uris.join(', ')}` : ''
  return new PushError(gone ? 'geoserver.layer_gone' : code, `${message}${lost}${published}`)
}

interface Shown extends Published {
  readonly layer: Layer
  readonly sld_body: string
}

/** One layer with its style; more than one where its file has several tables. */
const show = async (
  server: Server,
  request: Push,
  layer: Layer,
  given: Given,
  file: string,
): Promise<Shown[]> => {
  const shown: Shown[] = []
  for (const one of await publish(server, request, layer, given, file)) {
    const uri = `${one.place.workspace}:${one.place.name}`
    const sld_body = sldOf(uri, layer.geoserver_style)
    if (sld_body) await publishStyle(server, one.place, sld_body)
    await truncate(server, uri)
    shown.push({ ...one, layer, sld_body })
  }
  return shown
}

/** The layers as they are at the end: GeoServer may have lost the first while the last came. */
const reportOf = async (server: Server, all: readonly Shown[], report: Report): Promise<void> => {
  for (const { place, box, warnings, layer, sld_body } of all) {
    const uri = `${place.workspace}:${place.name}`
    const { display_name, z_index, visible_by_default } = layer
    const unlike = await confirm(server, place, sld_body)
    report.predicted_layers.push({ uri, display_name, sld_body, z_index, visible_by_default })
    report.warnings.push(...warnings, ...(unlike ? [unlike] : []))
    if (box) report.bboxes.push(box)
  }
}

/**
 * Publishes every layer whose artifact is there, with its style.
 *
 * In an order that survives a stop at any point: the same call again completes it, and leaves one
 * granule, one style and no orphan.
 *
 * @throws PushError `geoserver.*`
 */
export const push = async (
  server: Server,
  request: Push,
  given: Given,
  log: (text: string) => void,
): Promise<Report> => {
  const report: Report = { predicted_layers: [], bboxes: [], skipped: [], warnings: [] }
  // Before anything is sent: a style that GeoServer could not draw by, a file that is gone.
  for (const layer of request.layers) sldOf('check', layer.geoserver_style)
  checkFiles(request.layers, given)
  let greeted = false
  const all: Shown[] = []
  for (const layer of request.layers) {
    const file = given.artifacts[layer.filepath_key]
    const reason = reasonToSkip(layer, file)
    if (!file || reason) {
      log(`${layer.layer_name} skipped: ${reason}`)
      report.skipped.push({ layer_name: layer.layer_name, reason: reason! })
      continue
    }
    if (!greeted) log(`GeoServer ${await greet(server)} at ${server.url}`.replace('  ', ' '))
    greeted = true
    await workspace(server, layer.workspace)
    const shown = await show(server, request, layer, given, file).catch(async (error: unknown) => {
      throw await explained(server, layer, all, error)
    })
    for (const { place } of shown) log(`${place.workspace}:${place.name} published from ${file}`)
    all.push(...shown)
  }
  if (request.layers.length && !all.length)
    throw new PushError(
      'geoserver.nothing_to_push',
      'no layer has its file: check geoserver_push[].filepath_key',
    )
  await reportOf(server, all, report)
  for (const warning of report.warnings) log(`warning: ${warning}`)
  return report
}
