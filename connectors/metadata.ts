import { z } from 'zod'

/** The entries of an object that are what they should be: one that is not leaves the others be. */
const entriesOf = <S extends z.ZodType>(entry: S) =>
  z.record(z.string(), z.unknown()).transform((all): Record<string, z.output<S>> =>
    Object.fromEntries(
      Object.entries(all).flatMap(([key, value]) => {
        const parsed = entry.safeParse(value)
        return parsed.success ? [[key, parsed.data]] : []
      }),
    ),
  )
const href = z.string().max(4096)
const asset = z.looseObject({
  href,
  type: z.string().nullish().catch(null),
  alternate: entriesOf(z.looseObject({ href })).nullish().catch(null),
})
/** An item as a STAC API answers it: what is not needed is not looked at. @see STAC 1.0 and 1.1 */
export const rawItem = z.looseObject({
  id: z.string().min(1).max(500),
  collection: z.string().nullish(),
  geometry: z.unknown(),
  bbox: z.array(z.number()).nullish().catch(null),
  properties: z.record(z.string(), z.unknown()),
  assets: entriesOf(asset).default({}).catch({}),
})
export type RawItem = z.output<typeof rawItem>
export type RawAsset = z.output<typeof asset>
type Fields = Readonly<Record<string, unknown>>

export const textOf = (fields: Fields, ...names: string[]): string | null => {
  const found = names.map((name) => fields[name]).find((value) => typeof value === 'string')
  return typeof found === 'string' && found.length <= 200 ? found : null
}
export const numberOf = (fields: Fields, ...names: string[]): number | null => {
  const found = names.map((name) => fields[name]).find((value) => Number.isFinite(value))
  return typeof found === 'number' ? found : null
}

/** Small letters and a space are RFC 3339 too (5.6), and so is second 60 (5.7). */
const TIME =
  /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2})(?::(\d{2})(\.\d+)?)?\s*([Zz]|[+-]\d{2}(?::?\d{2})?)?$/

/** Sensing time in ms since 1970; a composite counts by its start. */
export const timeOf = ({ properties }: RawItem): number | null => {
  const text = textOf(properties, 'datetime') ?? textOf(properties, 'start_datetime')
  const [, day, minutes, seconds = '00', fraction = '', zone = 'Z'] = TIME.exec(text ?? '') ?? []
  if (!day) return null
  // JavaScript has no leap second: its end is where the next one begins.
  const whole = seconds === '60' ? '59.999' : seconds + fraction
  // RFC 3339 wants a zone; without one it would be read in this machine's.
  const offset = /^[+-]\d{2}$/.test(zone) ? `${zone}:00` : zone.toUpperCase()
  const time = Date.parse(`${day}T${minutes}:${whole}${offset}`)
  return Number.isNaN(time) ? null : time
}

/** Percent of the scene, 0 to 100; null where the item says nothing that can be one. */
export const cloudOf = ({ properties }: RawItem): number | null => {
  const said = properties['eo:cloud_cover']
  // As text it means the same; taken for unknown it would pass every limit.
  const isText = typeof said === 'string' && /^\s*\d+(\.\d+)?\s*%?\s*$/.test(said)
  const cover = isText ? parseFloat(said) : numberOf(properties, 'eo:cloud_cover')
  return cover !== null && cover >= 0 && cover <= 100 ? cover : null
}

const MGRS = /(?:^|[_.\-T])(\d{1,2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V])(?=$|[_.\-])/

/** `31TCJ` of `MGRS-31TCJ` or `T31TCJ`; zones of one digit are filled up. */
export const tileName = (text: string): string => {
  const bare = text
    .toUpperCase()
    .replace(/^MGRS-/, '')
    .replace(/^T(?=\d)/, '')
  return /^\d[A-Z]/.test(bare) ? `0${bare}` : bare
}

/** MGRS tile, or path and row; the items of one tile and time are duplicates or halves. */
export const tileOf = ({ id, properties }: RawItem): string | null => {
  const said = textOf(properties, 'grid:code', 's2:mgrs_tile')
  if (said) return tileName(said)
  const parts = ['mgrs:utm_zone', 'mgrs:latitude_band', 'mgrs:grid_square'].map(
    (name) => properties[name] as string | number | undefined,
  )
  if (parts.every((part) => part !== undefined)) return tileName(parts.join(''))
  const [path, row] = ['landsat:wrs_path', 'landsat:wrs_row'].map((name) => properties[name])
  if (path !== undefined && row !== undefined)
    return `WRS2-${String(path).padStart(3, '0')}${String(row).padStart(3, '0')}`
  const named = MGRS.exec(id)
  return named ? tileName(named[1]!) : null
}

/** Processing baseline as `05.11`; from the product's name where no property says it. */
export const baselineOf = ({ id, properties }: RawItem): string | null => {
  const said = textOf(properties, 's2:processing_baseline', 'processing:version')
  const found = /^(\d{1,2})\.(\d{2})/.exec(said ?? '')
  if (found) return `${found[1]!.padStart(2, '0')}.${found[2]}`
  const name = textOf(properties, 's2:product_uri', 's2:product_id', 'title') ?? id
  const inName = /_N(\d{2})(\d{2})_/.exec(name) ?? /_N(\d{2})(\d{2})_/.exec(id)
  return inName ? `${inName[1]}.${inName[2]}` : null
}

/** Platform constellation: `sentinel-2` of sentinel-2a. */
export const platformOf = ({ properties }: RawItem): string | null =>
  textOf(properties, 'constellation')?.toLowerCase() ??
  textOf(properties, 'platform')
    ?.toLowerCase()
    .replace(/^(sentinel-\d)[a-d]$/, '$1') ??
  null

/** Direction and relative orbit, which SAR scenes are never mixed over. */
export const orbitOf = ({ properties }: RawItem): string | null => {
  const state = textOf(properties, 'sat:orbit_state')
  const orbit = numberOf(properties, 'sat:relative_orbit')
  return state === null && orbit === null
    ? null
    : [state, orbit].filter((x) => x !== null).join('-')
}

/** Ground range: placed by ground control points; a `proj:transform` beside it is not true. */
export const isGroundRange = ({ properties }: RawItem): boolean =>
  textOf(properties, 'sar:product_type', 'product:type')?.toUpperCase().startsWith('GRD') ??
  textOf(properties, 's1:product_type')?.toUpperCase().startsWith('GRD') ??
  false

const first = (list: unknown, at: number): Fields =>
  Array.isArray(list) && typeof list[at] === 'object' && list[at] ? (list[at] as Fields) : {}

/** Fields of band `at` of an asset: STAC 1.1 `bands`, `raster:bands`, then the asset itself. */
const bandFields = (asset: RawAsset, at: number): Fields[] => [
  first(asset['raster:bands'], at),
  first(asset.bands, at),
  asset,
]

/** DN scale, offset and nodata as the item states them, in the spellings of STAC 1.0 and 1.1. */
export const rasterOf = (asset: RawAsset, at: number) => {
  const fields = bandFields(asset, at)
  const stated = (...names: string[]): number | null =>
    fields.map((one) => numberOf(one, ...names)).find((value) => value !== null) ?? null
  return {
    scale: stated('raster:scale', 'scale'),
    offset: stated('raster:offset', 'offset'),
    nodata: stated('nodata'),
  }
}

const epsgOf = (fields: Fields): number | null => {
  for (const code of [fields['proj:code'], fields['proj:epsg']]) {
    // Also as a URN or a URL of the OGC: urn:ogc:def:crs:EPSG::32631
    const found = /^(?:(?:.*[:/])?EPSG[:/](?:[\d.]*[:/])?)?(\d{4,6})$/i.exec(String(code ?? ''))
    if (found) return Number(found[1])
  }
  return null
}
const numbers = (value: unknown, least: number): number[] | null =>
  Array.isArray(value) && value.length >= least && value.every(Number.isFinite) ? value : null

/** What the item says of the grid of an asset; a transform is put into GDAL's order. */
export const gridOf = ({ properties }: RawItem, asset: RawAsset) => {
  const transform = numbers(asset['proj:transform'] ?? properties['proj:transform'], 6)
  const shape = numbers(asset['proj:shape'] ?? properties['proj:shape'], 2)
  const [width, skew, x, turn, height, y] = transform ?? []
  return {
    epsg: epsgOf(asset) ?? epsgOf(properties),
    transform: transform ? [x!, width!, skew!, y!, turn!, height!] : null,
    shape: shape ? ([shape[0]!, shape[1]!] as const) : null,
  }
}

/** The asset of a band and its place in the file: by key, by a band's name, by its common name. */
export const assetOf = (
  { assets }: RawItem,
  keys: readonly string[],
): { asset: RawAsset; at: number } | undefined => {
  for (const key of keys) if (Object.hasOwn(assets, key)) return { asset: assets[key]!, at: 0 }
  for (const field of ['name', 'common_name', 'eo:common_name'])
    for (const key of keys)
      for (const asset of Object.values(assets))
        for (const list of [asset.bands, asset['eo:bands']]) {
          const at = Array.isArray(list) ? list.findIndex((band) => band?.[field] === key) : -1
          if (at >= 0) return { asset, at }
        }
  return undefined
}
