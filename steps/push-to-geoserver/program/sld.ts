type Entry = Readonly<Record<string, unknown>>

const escape = (value: unknown): string =>
  String(value).replace(
    /[<>&"']/g,
    (c) => ({ '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;', "'": '&apos;' })[c]!,
  )

// QGIS reads the entries by a regular expression: the order of the attributes matters.
const colorMap = (entries: readonly Entry[], type: string): string =>
  `<ColorMap type="${type}">${entries
    .map(({ color = '#808080', opacity = 0, quantity = 0, label = 'Class 1' }) => {
      const [c, o, q, l] = [color, opacity, quantity, label].map(escape)
      return `<ColorMapEntry color="${c}" opacity="${o}" quantity="${q}" label="${l}"/>`
    })
    .join('')}</ColorMap>`

const channels = (entries: readonly Entry[]): string =>
  `<ChannelSelection>${['RedChannel', 'GreenChannel', 'BlueChannel']
    .flatMap((name) => {
      const entry = entries.find(({ label }) => label === name)
      if (!entry) return []
      const { channel = 1, minValue = 0, maxValue = 255 } = entry
      return [
        `<${name}><SourceChannelName>${escape(channel)}</SourceChannelName><ContrastEnhancement><Normalize>` +
          '<VendorOption name="algorithm">StretchToMinimumMaximum</VendorOption>' +
          `<VendorOption name="minValue">${escape(minValue)}</VendorOption>` +
          `<VendorOption name="maxValue">${escape(maxValue)}</VendorOption>` +
          `</Normalize></ContrastEnhancement></${name}>`,
      ]
    })
    .join('')}</ChannelSelection>`

/**
 * SLD 1.0.0 text of a raster style, or '' where there is none.
 *
 * @see contract.md 4.10; OGC 02-070, Styled Layer Descriptor 1.0.0
 */
export const sldOf = (layer: string, style: unknown): string => {
  if (typeof style !== 'object' || style === null) return ''
  const { segmentation, regression, rgb } = style as Record<string, readonly Entry[] | undefined>
  const symbolizer = segmentation
    ? colorMap(segmentation, 'values')
    : regression
      ? colorMap(regression, 'ramp')
      : rgb
        ? channels(rgb)
        : undefined
  if (symbolizer === undefined) return ''
  return (
    '<?xml version="1.0" encoding="UTF-8"?><StyledLayerDescriptor version="1.0.0" ' +
    'xmlns="http://www.opengis.net/sld" xmlns:ogc="http://www.opengis.net/ogc">' +
    `<NamedLayer><Name>${escape(layer)}</Name><UserStyle><FeatureTypeStyle><Rule><RasterSymbolizer>` +
    `${symbolizer}</RasterSymbolizer></Rule></FeatureTypeStyle></UserStyle></NamedLayer></StyledLayerDescriptor>`
  )
}
