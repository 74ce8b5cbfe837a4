import { bad, colorOf, isValues, numberOf, opacityOf, type Values } from './style-values.ts'
import { escaped } from './xml.ts'

type Check = (value: unknown, where: string) => string | number

const atLeastZero: Check = (value, where) => {
  const number = numberOf(value, where)
  if (number >= 0) return number
  throw bad(where, `${number} is below 0`)
}

const literal = (value: string | number): string => `<ogc:Literal>${escaped(value)}</ogc:Literal>`

/** A value, or one that follows a field of the features, between given points. */
const parameter = (value: unknown, where: string, check: Check, colour: boolean): string => {
  if (!isValues(value)) return String(check(value, where))
  const { property_name: property, property_values: points } = value
  if (typeof property !== 'string' || !property) throw bad(`${where}.property_name`, 'is missing')
  if (!Array.isArray(points) || points.length < 2 || !points.every(isValues))
    throw bad(`${where}.property_values`, 'has two entries {value, output} or more')
  const pairs = points.map((point, n) => ({
    at: numberOf(point.value, `${where}.property_values[${n}].value`),
    output: check(point.output, `${where}.property_values[${n}].output`),
  }))
  pairs.sort((a, b) => a.at - b.at)
  return (
    `<ogc:Function name="Interpolate"><ogc:PropertyName>${escaped(property)}</ogc:PropertyName>` +
    pairs.map(({ at, output }) => literal(at) + literal(output)).join('') +
    (colour ? literal('color') : '') +
    '</ogc:Function>'
  )
}

// Key of the style, name in SLD, how it is checked.
const FILL = [
  ['fill', 'fill', colorOf],
  ['fill_opacity', 'fill-opacity', opacityOf],
] as const
const STROKE = [
  ['stroke', 'stroke', colorOf],
  ['stroke_width', 'stroke-width', atLeastZero],
  ['stroke_opacity', 'stroke-opacity', opacityOf],
] as const

const given = (value: unknown): boolean => value !== undefined && value !== null && value !== ''

const paint = (
  element: 'Fill' | 'Stroke',
  keys: typeof FILL | typeof STROKE,
  style: Values,
  where: string,
): string => {
  const parameters = keys.flatMap(([key, name, check]) =>
    given(style[key])
      ? [
          `<CssParameter name="${name}">` +
            `${parameter(style[key], `${where}.${key}`, check, check === colorOf)}</CssParameter>`,
        ]
      : [],
  )
  return parameters.length ? `<${element}>${parameters.join('')}</${element}>` : ''
}

const MARKS = ['square', 'circle', 'triangle', 'star', 'cross', 'x']

const point = (style: Values): string => {
  const mark = style.well_known_name ?? 'circle'
  if (!MARKS.includes(String(mark)))
    throw bad('point_style.well_known_name', `${JSON.stringify(mark)} is none of ${MARKS.join()}`)
  const size = parameter(style.size ?? 6, 'point_style.size', atLeastZero, false)
  return (
    `<PointSymbolizer><Graphic><Mark><WellKnownName>${mark}</WellKnownName>` +
    paint('Fill', FILL, style, 'point_style') +
    paint('Stroke', STROKE, style, 'point_style') +
    `</Mark><Size>${size}</Size></Graphic></PointSymbolizer>`
  )
}

const line = (style: Values): string =>
  `<LineSymbolizer>${paint('Stroke', STROKE, style, 'line_style')}</LineSymbolizer>`

const polygon = (style: Values): string =>
  `<PolygonSymbolizer>${paint('Fill', FILL, style, 'polygon_style')}` +
  `${paint('Stroke', STROKE, style, 'polygon_style')}</PolygonSymbolizer>`

const DRAWN = { polygon_style: polygon, line_style: line, point_style: point } as const

/** Symbolizers of a vector style, areas below lines below points; '' where it names none. */
export const vectorSymbolizers = (style: Values): string =>
  Object.entries(DRAWN)
    .map(([key, draw]) => {
      const own = style[key]
      if (!given(own)) return ''
      if (!isValues(own)) throw bad(key, 'must be an object')
      return draw(own)
    })
    .join('')
