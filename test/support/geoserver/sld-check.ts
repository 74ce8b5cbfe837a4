import { parseXml } from './http.ts'

const listed = (value: any): any[] => (value === undefined ? [] : [value].flat())

/** All elements of a name, however deep. */
export const deep = (node: any, name: string): any[] => {
  if (Array.isArray(node)) return node.flatMap((one) => deep(one, name))
  if (typeof node !== 'object' || node === null) return []
  return Object.entries(node).flatMap(([key, value]) =>
    key === name ? [...listed(value), ...deep(value, name)] : deep(value, name),
  )
}

/** Java's Color.decode: `#RGB` is a number too, and another colour. */
const decode = (color: string): void => {
  if (!/^(#|0x)[0-9a-f]{1,6}$/i.test(color)) throw new Error(`NumberFormatException: ${color}`)
}

const colorMap = (map: any): void => {
  const type = ['values', 'intervals'].includes(map['@type']) ? map['@type'] : 'ramp'
  const entries = listed(map.ColorMapEntry)
  if (entries.length > (map['@extended'] === 'true' ? 65_536 : 256))
    throw new Error('too many entries')
  if (!entries.length || (entries.length === 1 && type !== 'values'))
    throw new Error('Not enough color map entries')
  let last = Number.NEGATIVE_INFINITY
  for (const entry of entries) {
    decode(entry['@color'])
    const opacity = Number(entry['@opacity'] ?? 1)
    if (!(opacity >= 0 && opacity <= 1)) throw new Error(`opacity ${opacity}`)
    const quantity = Number(entry['@quantity'])
    if (Number.isNaN(quantity)) throw new Error(`quantity ${entry['@quantity']}`)
    if (type === 'ramp' && quantity < last) throw new Error('entries must ascend')
    last = quantity
    if (
      String(entry['@label'] ?? '')
        .replaceAll('\\${', '')
        .includes('${')
    )
      throw new Error('an expression in a label')
  }
}

/** Why GeoServer would not draw a raster of so many bands by this SLD; undefined when it would. */
export const drawingError = (sld: string, bands: number): string | undefined => {
  try {
    const document = parseXml(sld)
    if (!document.StyledLayerDescriptor) throw new Error('no StyledLayerDescriptor')
    for (const symbolizer of deep(document, 'RasterSymbolizer')) {
      const channels = symbolizer.ChannelSelection
      for (const map of listed(symbolizer.ColorMap)) {
        if (bands > 1 && !channels?.GrayChannel) throw new Error('a ColorMap on several bands')
        colorMap(map)
      }
      const one = channels && !channels.GrayChannel
      if (one && ['Red', 'Green', 'Blue'].some((name) => !channels[`${name}Channel`]))
        throw new Error('three channels or one')
      for (const normalize of deep(channels, 'Normalize')) {
        const names = listed(normalize.VendorOption).map((option) => option['@name'])
        if (names.includes('minValue') !== names.includes('maxValue'))
          throw new Error('both minValue and maxValue')
      }
      for (const name of deep(channels, 'SourceChannelName'))
        if (Number(name) > bands) throw new Error(`there is no band ${name}`)
    }
    for (const call of deep(document, 'Function'))
      if (call['@name'] === 'Interpolate' && listed(call.Literal).length < 4)
        throw new Error('Interpolate has two points or more')
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
