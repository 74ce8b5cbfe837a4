import { join } from 'node:path'
import type { Server } from './client.ts'
import { type Box, boxOf, coverage, type Place } from './coverage.ts'
import { dayIn, granuleName } from './date.ts'
import { PushError } from './errors.ts'
import { publishGeotiff } from './geotiff.ts'
import { publishMosaic } from './mosaic.ts'
import { publishNetcdf } from './netcdf.ts'
import { greet, truncate, workspace } from './rest.ts'
import { sldOf } from './sld.ts'
import { publishStyle } from './style.ts'
import { transparencyOf } from './transparency.ts'
import { publishVectors } from './vector.ts'

export interface Layer {
  readonly workspace: string
  readonly layer_name: string
  readonly display_name: string
  readonly filepath_key: string
  readonly geoserver_style?: unknown
  readonly coverage_name?: string | undefined
  readonly z_index?: unknown
  readonly visible_by_default?: unknown
}
export interface Push {
  readonly layer_prefix: string
  readonly layers: readonly Layer[]
  /** Day of the task, YYYY-MM-DD */
  readonly date?: string | undefined
  /** Number of the task: several publish into the same mosaic */
  readonly task?: number | undefined
  /** No other task publishes into these layers */
  readonly alone?: boolean | undefined
}
/** Where the artifacts lie, and which is which. */
export interface Given {
  readonly folder: string
  readonly artifacts: Readonly<Record<string, string>>
}
interface Published {
  readonly place: Place
  readonly box: Box | undefined
  readonly warnings: readonly string[]
}

const PUBLISHED = /\.(tiff?|nc|gpkg|zip|shp)$/i

/** One file of a layer can hold all tasks' rasters; every other kind is a layer a task. */
const placeOf = (request: Push, layer: Layer, file: string): Place => {
  const { layer_prefix, task, alone } = request
  const name = `${layer_prefix}-${layer.layer_name}`
  const own = /\.tiff?$/i.test(file) || alone || !task ? '' : `-${task}`
  return { workspace: layer.workspace, name: `${name}${own}` }
}

const publishRaster = async (
  server: Server,
  request: Push,
  { place, style }: { place: Place; style: unknown },
  { folder }: Given,
  file: string,
): Promise<string[]> => {
  const path = join(folder, file)
  const day = request.date ?? dayIn(file)
  const transparency = await transparencyOf(path, style)
  const more = transparency.warning ? [`${file}: ${transparency.warning}`] : []
  if (!day && request.alone)
    return [...more, ...(await publishGeotiff(server, place, path, transparency))]
  const name = granuleName(file, day, request.alone ? undefined : request.task)
  const granule = { path, name, timed: day !== undefined, transparency }
  return [...more, ...(await publishMosaic(server, place, granule))]
}

const publish = async (
  server: Server,
  request: Push,
  layer: Layer,
  given: Given,
  file: string,
): Promise<Published[]> => {
  const place = placeOf(request, layer, file)
  const path = join(given.folder, file)
  if (/\.(gpkg|zip|shp)$/i.test(file)) {
    const types = await publishVectors(server, place, path)
    return types.map(({ name, type }) => ({
      place: { ...place, name },
      box: boxOf(type?.featureType),
      warnings: [],
    }))
  }
  const warnings = /\.nc$/i.test(file)
    ? await publishNetcdf(server, place, path, layer.coverage_name)
    : await publishRaster(server, request, { place, style: layer.geoserver_style }, given, file)
  return [{ place, box: boxOf((await coverage(server, place))?.coverage), warnings }]
}

const reasonToSkip = (layer: Layer, file: string | undefined): string | undefined => {
  if (!file) return `no earlier step made ${layer.filepath_key}`
  if (!PUBLISHED.test(file))
    return `${file} is no GeoTIFF, NetCDF, GeoPackage or Shapefile: GeoServer publishes no other`
  return undefined
}

/** What of one inference's push a client shows on its map. */
export interface Report {
  predicted_layers: Record<string, unknown>[]
  bboxes: Box[]
  skipped: { layer_name: string; reason: string }[]
  warnings: string[]
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
  // Before anything is sent: a style that GeoServer could not draw by.
  for (const layer of request.layers) sldOf('check', layer.geoserver_style)
  let greeted = false
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
    for (const { place, box, warnings } of await publish(server, request, layer, given, file)) {
      const uri = `${place.workspace}:${place.name}`
      const sld_body = sldOf(uri, layer.geoserver_style)
      if (sld_body) await publishStyle(server, place, sld_body)
      await truncate(server, uri)
      log(`${uri} published from ${file}`)
      for (const warning of warnings) log(`warning: ${warning}`)
      const { display_name, z_index, visible_by_default } = layer
      report.predicted_layers.push({ uri, display_name, sld_body, z_index, visible_by_default })
      report.warnings.push(...warnings)
      if (box) report.bboxes.push(box)
    }
  }
  if (request.layers.length && !report.predicted_layers.length)
    throw new PushError(
      'geoserver.nothing_to_push',
      'no layer has its file: check geoserver_push[].filepath_key',
    )
  return report
}
