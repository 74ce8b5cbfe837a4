import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Server } from './client.ts'
import { type Box, boxOf, coverage, type Place } from './coverage.ts'
import { dayIn, granuleName } from './date.ts'
import { PushError } from './errors.ts'
import { publishGeotiff } from './geotiff.ts'
import { publishMosaic } from './mosaic.ts'
import { publishNetcdf } from './netcdf.ts'
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
export interface Published {
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

/** One file as a layer, without its style; one a table where it has several. */
export const publish = async (
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

/** That every file is there, before anything is published. */
export const checkFiles = (layers: readonly Layer[], { folder, artifacts }: Given): void => {
  for (const { layer_name, filepath_key } of layers) {
    const file = artifacts[filepath_key]
    if (file && !existsSync(join(folder, file)))
      throw new PushError(
        'geoserver.unreadable',
        `${layer_name}: ${file} is not among the task's files any more; run the task again`,
      )
  }
}

/** Why a layer is left out; undefined where it has its file. */
export const reasonToSkip = (layer: Layer, file: string | undefined): string | undefined => {
  if (!file) return `no earlier step made ${layer.filepath_key}`
  if (!PUBLISHED.test(file))
    return `${file} is no GeoTIFF, NetCDF, GeoPackage or Shapefile: GeoServer publishes no other`
  return undefined
}
