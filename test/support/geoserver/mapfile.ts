import { parseXml } from './http.ts'
import { deep } from './sld-check.ts'
import type { Table } from './state.ts'

/** A raster that MapServer reads, and how it is drawn. */
export interface Drawn {
  /** Name of its layer */
  readonly layer: string
  /** Path inside the container */
  readonly path: string
  readonly epsg: number
  readonly sld: string
  /** Band of a picture that says how opaque it is */
  readonly alpha?: number | undefined
  /** Of features: what they are, and their table in the file */
  readonly features?: Pick<Table, 'geometry' | 'name'>
}
/** A layer as capabilities tell of it. */
export interface Told {
  readonly layer: string
  readonly title: string
  /** Degrees */
  readonly box: readonly number[]
  /** Days, ascending; empty without time */
  readonly times: readonly string[]
}

const listed = (value: any): any[] => (value === undefined ? [] : [value].flat())
const rgb = (color: string): string =>
  [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16)).join(' ')
const opaque = (entry: any): number => Math.round(Number(entry['@opacity'] ?? 1) * 100)

const single = (entry: any, expression: string): string =>
  opaque(entry) === 0
    ? ''
    : `CLASS NAME "c" EXPRESSION (${expression}) STYLE COLOR ${rgb(entry['@color'])} OPACITY ${opaque(entry)} END END\n`

const values = (entries: readonly any[]): string =>
  entries.map((entry) => single(entry, `[pixel] = ${entry['@quantity']}`)).join('')

/** Below the first its colour, above the last its own, between two a mixture. */
const ramp = (entries: readonly any[]): string => {
  const [first, last] = [entries[0], entries.at(-1)]
  const between = entries.slice(1).map((entry, n) => {
    const [from, to] = [entries[n]['@quantity'], entry['@quantity']]
    const colors = `${rgb(entries[n]['@color'])} ${rgb(entry['@color'])}`
    return `CLASS NAME "c" EXPRESSION ([pixel] >= ${from} AND [pixel] < ${to}) STYLE COLORRANGE ${colors} DATARANGE ${from} ${to} END END\n`
  })
  return (
    single(first, `[pixel] < ${first['@quantity']}`) +
    between.join('') +
    single(last, `[pixel] >= ${last['@quantity']}`)
  )
}

const stretch = (channels: any, alpha: number | undefined): string => {
  const names = ['RedChannel', 'GreenChannel', 'BlueChannel']
  const bands = names.map((name) => channels[name].SourceChannelName)
  const scales = names.map((name, n) => {
    const options = listed(channels[name].ContrastEnhancement?.Normalize?.VendorOption)
    const of = (key: string) => options.find((option) => option['@name'] === key)?.$
    return `PROCESSING "SCALE_${n + 1}=${of('minValue')},${of('maxValue')}"\n`
  })
  return `PROCESSING "BANDS=${[...bands, alpha ?? []].flat().join()}"\n${scales.join('')}`
}

/** A literal of an SLD's symbolizer; those that follow a field are not drawn here. */
const literal = (part: any, key: string): string | undefined => {
  const found = listed(part?.CssParameter).find((one) => one['@name'] === key)
  if (found === undefined) return undefined
  const value = typeof found === 'object' ? found.$ : found
  if (value === undefined) throw new Error(`the stand-in draws no ${key} by a field`)
  return String(value)
}

const painted = (part: any, kind: 'fill' | 'stroke', word: string): string => {
  const color = literal(part, kind)
  if (!color) return ''
  const width = literal(part, 'stroke-width')
  const opacity = Math.round(Number(literal(part, `${kind}-opacity`) ?? 1) * 100)
  return `STYLE ${word} ${rgb(color)} OPACITY ${opacity} ${width ? `WIDTH ${width} ` : ''}END\n`
}

/** An SLD's symbolizers of areas, lines and points as one class. */
const featureDrawing = (sld: string): string => {
  const rules = sld
    ? deep(parseXml(sld), 'Rule')
    : [{ PolygonSymbolizer: { Fill: { CssParameter: { '@name': 'fill', $: '#AAAAAA' } } } }]
  const styles = rules.flatMap(({ PolygonSymbolizer: area, LineSymbolizer: line }) => [
    painted(area?.Fill, 'fill', 'COLOR'),
    painted(area?.Stroke, 'stroke', 'OUTLINECOLOR'),
    painted(line?.Stroke, 'stroke', 'COLOR'),
  ])
  const marks = rules.map((rule) => rule.PointSymbolizer?.Graphic).filter(Boolean)
  const points = marks.map(
    ({ Mark, Size }) =>
      `STYLE SYMBOL "circle" COLOR ${rgb(literal(Mark.Fill, 'fill') ?? '#808080')} SIZE ${Size} END\n`,
  )
  return `CLASS NAME "c" ${styles.join('')}${points.join('')}END\n`
}

const symbolizerOf = (sld: string): any =>
  sld
    ? parseXml(sld).StyledLayerDescriptor?.NamedLayer?.UserStyle?.FeatureTypeStyle?.Rule
        ?.RasterSymbolizer
    : undefined

/** Whether three channels make the colours: then nodata is a colour as any other. */
export const isPicture = (sld: string): boolean =>
  symbolizerOf(sld)?.ChannelSelection?.RedChannel !== undefined

/** An SLD's raster symbolizer as MapServer's own classes. */
const drawing = (sld: string, alpha: number | undefined): string => {
  const symbolizer = symbolizerOf(sld)
  if (!symbolizer) return 'PROCESSING "SCALE=AUTO"\n'
  const { ChannelSelection: channels, ColorMap: map } = symbolizer
  const band = channels?.GrayChannel?.SourceChannelName
  const chosen = band ? `PROCESSING "BANDS=${band}"\n` : channels ? stretch(channels, alpha) : ''
  if (!map) return chosen
  const entries = listed(map.ColorMapEntry)
  return `${chosen}CLASSITEM "[pixel]"\n${map['@type'] === 'values' ? values(entries) : ramp(entries)}`
}

const head = (url: string): string => `MAP
NAME "geoserver" SIZE 256 256 MAXSIZE 4096 EXTENT -180 -90 180 90
PROJECTION "init=epsg:4326" END
SYMBOL NAME "circle" TYPE ELLIPSE FILLED TRUE POINTS 1 1 END END
OUTPUTFORMAT NAME "png" DRIVER AGG/PNG MIMETYPE "image/png" IMAGEMODE RGBA TRANSPARENT ON END
WEB METADATA
  "wms_title" "GeoServer" "wms_enable_request" "*" "wms_onlineresource" "${url}"
  "wms_srs" "EPSG:4326 EPSG:3857 EPSG:32630" "wms_feature_info_mime_type" "text/html"
END END
`

/** For GetMap: every raster is a layer of its own below the name that is asked for. */
export const drawnMap = (url: string, rasters: readonly Drawn[]): string =>
  `${head(url)}${rasters
    .map(
      ({ layer, path, epsg, sld, alpha, features }, n) => `LAYER
NAME "part${n}" GROUP "${layer}" STATUS ON
${features ? `TYPE ${features.geometry} CONNECTIONTYPE OGR CONNECTION "${path}" DATA "${features.name}"` : `TYPE RASTER DATA "${path}"`}
METADATA "wms_title" "${layer}" "wms_group_title" "${layer}" END
PROJECTION "init=epsg:${epsg}" END
${features ? featureDrawing(sld) : drawing(sld, alpha)}END
`,
    )
    .join('')}END\n`

/** For GetCapabilities: a layer each, with its box and its times. */
export const toldMap = (url: string, layers: readonly Told[], path: string): string =>
  `${head(url)}${layers
    .map(({ layer, title, box, times }) => {
      const time = times.length
        ? `"wms_timeextent" "${times.join()}" "wms_timedefault" "${times[0]}" "wms_timeitem" "time"`
        : ''
      return `LAYER
NAME "${layer}" TYPE RASTER STATUS ON DATA "${path}"
METADATA "wms_title" "${title}" "wms_extent" "${box.join(' ')}" "wms_srs" "EPSG:4326 EPSG:3857" ${time} END
PROJECTION "init=epsg:4326" END
END
`
    })
    .join('')}END\n`
