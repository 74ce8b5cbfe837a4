import { bad, colorOf, labelOf, numberOf, opacityOf, type Values } from './style-values.ts'
import { escaped } from './xml.ts'

/** From this number of entries on GeoServer wants `extended`; it takes no more than MOST. */
const PLAIN = 256
const MOST = 65_536

interface Entry {
  readonly color: string
  readonly opacity: number
  readonly quantity: number
  readonly label: string
}

const entryOf = (given: Values, where: string): Entry => {
  const { color = '#808080', opacity = 0, quantity = 0, label = 'Class 1' } = given
  return {
    color: colorOf(color ?? '#808080', `${where}.color`),
    opacity: opacityOf(opacity ?? 0, `${where}.opacity`),
    quantity: numberOf(quantity ?? 0, `${where}.quantity`),
    label: labelOf(label ?? 'Class 1'),
  }
}

/**
 * A ColorMap of class values (`values`) or of a scale (`ramp`), checked by GeoServer's rules.
 *
 * A ramp's entries are put in ascending order, equal neighbours (a sharp step) in the given one;
 * clients read the attributes by a regular expression, so their order matters.
 *
 * @throws PushError `geoserver.bad_style`
 */
export const colorMap = (
  given: readonly Values[],
  type: 'values' | 'ramp',
  where: string,
): string => {
  const entries = given.map((entry, n) => entryOf(entry, `${where}[${n}]`))
  if (!entries.length) throw bad(where, 'has no entry')
  if (entries.length > MOST) throw bad(where, `has more than ${MOST} entries`)
  if (type === 'ramp') {
    if (entries.length < 2) throw bad(where, 'a scale has two entries or more')
    entries.sort((a, b) => a.quantity - b.quantity)
  }
  const extended = entries.length > PLAIN ? ' extended="true"' : ''
  const lines = entries.map(
    ({ color, opacity, quantity, label }) =>
      `<ColorMapEntry color="${color}" opacity="${opacity}" quantity="${quantity}" label="${escaped(label)}"/>`,
  )
  return `<ColorMap type="${type}"${extended}>${lines.join('')}</ColorMap>`
}
