import { colorMap } from './color-map.ts'
import { bad, isValues, numberOf, type Values } from './style-values.ts'
import { vectorSymbolizers } from './sld-vector.ts'
import { escaped } from './xml.ts'

const RGB = ['RedChannel', 'GreenChannel', 'BlueChannel'] as const

const bandOf = (value: unknown, where: string): number => {
  const band = numberOf(value, where)
  if (Number.isInteger(band) && band >= 1) return band
  throw bad(where, `${band} is no band: they count from 1`)
}

const channel = (name: string, entry: Values, where: string): string => {
  const band = bandOf(entry.channel ?? 1, `${where}.channel`)
  const from = numberOf(entry.minValue ?? 0, `${where}.minValue`)
  const to = numberOf(entry.maxValue ?? 255, `${where}.maxValue`)
  if (from >= to) throw bad(where, `minValue ${from} is not below maxValue ${to}`)
  return (
    `<${name}><SourceChannelName>${band}</SourceChannelName><ContrastEnhancement><Normalize>` +
    '<VendorOption name="algorithm">StretchToMinimumMaximum</VendorOption>' +
    `<VendorOption name="minValue">${from}</VendorOption>` +
    `<VendorOption name="maxValue">${to}</VendorOption>` +
    `</Normalize></ContrastEnhancement></${name}>`
  )
}

const channels = (entries: readonly Values[]): string => {
  const unknown = entries.find(({ label }) => !RGB.includes(label as never))
  if (unknown) throw bad('rgb', `label ${JSON.stringify(unknown.label)} is none of ${RGB.join()}`)
  const parts = RGB.map((name) => {
    const entry = entries.find(({ label }) => label === name)
    if (!entry) throw bad('rgb', `${name} is missing: a picture has three channels`)
    return channel(name, entry, `rgb.${name}`)
  })
  return `<ChannelSelection>${parts.join('')}</ChannelSelection>`
}

/** A ColorMap colours one band: of a raster with several, GeoServer draws nothing without this. */
const gray = (style: Values): string =>
  '<ChannelSelection><GrayChannel><SourceChannelName>' +
  `${bandOf(style.channel ?? 1, 'channel')}</SourceChannelName></GrayChannel></ChannelSelection>`

const listOf = (style: Values, name: string): readonly Values[] | undefined => {
  const list = style[name]
  if (list === undefined || list === null) return undefined
  if (Array.isArray(list) && list.every(isValues)) return list
  throw bad(name, 'must be a list of objects')
}

const raster = (style: Values): string | undefined => {
  const [segmentation, regression, rgb] = ['segmentation', 'regression', 'rgb'].map((name) =>
    listOf(style, name),
  )
  const inside = segmentation
    ? gray(style) + colorMap(segmentation, 'values', 'segmentation')
    : regression
      ? gray(style) + colorMap(regression, 'ramp', 'regression')
      : rgb
        ? channels(rgb)
        : undefined
  return inside && `<RasterSymbolizer>${inside}</RasterSymbolizer>`
}

/**
 * SLD 1.0.0 text of a style for the layer `workspace:name`, or '' where there is none.
 *
 * `segmentation` and `regression` are lists of `{color, opacity, quantity, label}`, `rgb` one of
 * `{label, channel, minValue, maxValue}`; `point_style`, `line_style` and `polygon_style` draw
 * vectors.
 *
 * @see OGC 02-070, Styled Layer Descriptor 1.0.0
 * @throws PushError `geoserver.bad_style` where GeoServer would fail to draw by it
 */
export const sldOf = (layer: string, style: unknown): string => {
  if (!isValues(style)) return ''
  const symbolizers = raster(style) ?? vectorSymbolizers(style)
  if (!symbolizers) return ''
  return (
    '<?xml version="1.0" encoding="UTF-8"?><StyledLayerDescriptor version="1.0.0" ' +
    'xmlns="http://www.opengis.net/sld" xmlns:ogc="http://www.opengis.net/ogc">' +
    `<NamedLayer><Name>${escaped(layer)}</Name><UserStyle><FeatureTypeStyle><Rule>` +
    `${symbolizers}</Rule></FeatureTypeStyle></UserStyle></NamedLayer></StyledLayerDescriptor>`
  )
}
