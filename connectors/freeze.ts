import { ConnectorError } from './errors.ts'
import { type Box, inFrame, polygonOfBox, polygonsOf } from './geometry.ts'
import { hrefOf } from './hosts.ts'
import type { FrozenBand, FrozenItem } from './item.ts'
import * as metadata from './metadata.ts'
import type { RawItem } from './metadata.ts'
import { harmonised } from './radiometry.ts'
import type { Band, BandSource, CatalogueRow } from './row.ts'

const CLASS_NAMES = /^(scl|fmask|qa(_pixel)?|clm|.*mask)$/i

const bandNamed = ({ source: { bands } }: CatalogueRow, name: string): Band | undefined => {
  const wanted = name.toLowerCase()
  const named = ({ band_name, alt_names = [] }: Band) => [band_name, ...alt_names]
  return (
    bands.find((band) => named(band).includes(name)) ??
    bands.find((band) => named(band).some((one) => one.toLowerCase() === wanted))
  )
}

/**
 * Where a band of a model's spec is found, by its name in the catalogue, its alternative name, or
 * either in another case.
 *
 * @throws ConnectorError `connector.unknown_band`
 */
export const bandSource = (row: CatalogueRow, name: string): BandSource => {
  const found = bandNamed(row, name)
  if (found) {
    const source = row.bands[found.band_name]!
    const names = [found.band_name, ...(found.alt_names ?? [])]
    return { ...source, assets: [...new Set([...source.assets, ...names])] }
  }
  const { connector, collection_name, bands } = row.source
  if (bands.length)
    throw new ConnectorError(
      'connector.unknown_band',
      `${connector}/${collection_name} has no band ${name}: use one of ${bands.map((band) => band.band_name).join(', ')}`,
    )
  return { assets: [name], class_band: CLASS_NAMES.test(name), nodata: null, gsd: null }
}

/**
 * A band's own name in its catalogue.
 *
 * @throws ConnectorError `connector.unknown_band`
 */
export const bandName = (row: CatalogueRow, name: string): string => {
  bandSource(row, name)
  return bandNamed(row, name)?.band_name ?? name
}

/** Why an item is not taken: said in the search's warnings. */
class LeftOut extends Error {
  readonly forbidden: boolean
  constructor(why: string, forbidden = false) {
    super(why)
    this.forbidden = forbidden
  }
}

/** What every item of one search is frozen with. */
export interface Frame {
  readonly row: CatalogueRow
  readonly bbox: Box
  readonly bands: readonly string[]
  /** URL that a relative href stands against */
  readonly base: string
  readonly allowPrivate: boolean
  /** Makes a band whose pixels are computed by the catalogue's own service, not read from a file */
  readonly made?: (row: CatalogueRow, name: string, at: number) => FrozenBand
}
/** A frozen item and what choosing between duplicates needs. */
export interface Candidate {
  readonly item: FrozenItem
  readonly time: number
  /** When the product was made, for a choice between reprocessings */
  readonly made: string
}
export type Taken = Candidate | { readonly leftOut: string; readonly forbidden: boolean }

const footprintOf = (raw: RawItem, bbox: Box) => {
  const box = raw.bbox ?? []
  // Three dimensions have a height after each pair.
  const [w, s, e, n] = box.length === 6 ? [box[0], box[1], box[3], box[4]] : box
  const polygons =
    polygonsOf(raw.geometry) ??
    (n === undefined ? undefined : [polygonOfBox([w!, s!, w! > e! ? e! + 360 : e!, n])])
  if (!polygons) throw new LeftOut('has no footprint')
  const [footprint, overlap] = inFrame(polygons, bbox)
  return { footprint, overlap }
}

const frozenBand = (
  raw: RawItem,
  name: string,
  time: number,
  { row, base, allowPrivate }: Frame,
): [FrozenBand, readonly string[]] => {
  const source = bandSource(row, name)
  const found = metadata.assetOf(raw, source.assets)
  if (!found) throw new LeftOut(`has no asset for band ${name}`)
  const { asset, at } = found
  let href: string
  try {
    href = hrefOf(row, asset, base, allowPrivate)
  } catch (error) {
    throw new LeftOut(`band ${name}: ${(error as Error).message}`, true)
  }
  const stated = metadata.rasterOf(asset, at)
  const { scale, offset, warnings } = source.class_band
    ? { scale: 1, offset: 0, warnings: [] }
    : harmonised(row.radiometry, raw, stated, metadata.baselineOf(raw), time)
  const band: FrozenBand = {
    href,
    file_band: at + 1,
    ...{ scale, offset, nodata: stated.nodata ?? source.nodata },
    class_band: source.class_band,
    ...metadata.gridOf(raw, asset),
    gsd: source.gsd ?? metadata.numberOf(asset, 'gsd') ?? metadata.numberOf(raw.properties, 'gsd'),
  }
  return [band, warnings]
}

const frozen = (raw: RawItem, frame: Frame): Candidate | undefined => {
  const { row } = frame
  const time = metadata.timeOf(raw)
  if (time === null) throw new LeftOut('has no datetime')
  const { footprint, overlap } = footprintOf(raw, frame.bbox)
  if (overlap <= 0) return undefined
  if (!frame.made && metadata.isGroundRange(raw))
    throw new LeftOut(
      'is SAR in ground range, placed by ground control points: use a terrain-corrected collection or sentinelhub/s1_grd',
    )
  const warnings = new Set<string>()
  const bands = frame.bands.map((name, at) => {
    const [band, odd] = frame.made
      ? [frame.made(row, name, at), []]
      : frozenBand(raw, name, time, frame)
    for (const text of odd) warnings.add(`${raw.id} ${text}`)
    return [name, band] as const
  })
  const { connector, collection_name } = row.source
  const item: FrozenItem = {
    id: raw.id,
    collection: `${connector}/${collection_name}`,
    datetime: new Date(time).toISOString(),
    cloud_cover: row.search?.cloud ? metadata.cloudOf(raw) : null,
    tile: metadata.tileOf(raw),
    baseline: metadata.baselineOf(raw),
    platform: metadata.platformOf(raw),
    orbit: metadata.orbitOf(raw),
    footprint,
    bands: Object.fromEntries(bands),
    warnings: [...warnings],
  }
  const made = metadata.textOf(raw.properties, 'created') ?? ''
  return { item, time, made: metadata.textOf(raw.properties, 'updated') ?? made }
}

/**
 * One item of a catalogue as a plan keeps it; undefined where it does not overlap the box.
 *
 * @throws ConnectorError `connector.unknown_band`
 */
export const freeze = (raw: RawItem, frame: Frame): Taken | undefined => {
  try {
    return frozen(raw, frame)
  } catch (error) {
    if (!(error instanceof LeftOut)) throw error
    return { leftOut: `${raw.id} ${error.message}`, forbidden: error.forbidden }
  }
}
