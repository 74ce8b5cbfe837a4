import { expect, test } from 'vitest'
import { drawingError } from '../../test/support/geoserver/sld-check.ts'
import { sldOf } from './program/sld.ts'

const entry = (quantity: unknown, more: object = {}) => ({
  ...{ color: '#4589FF', opacity: 1, label: 'a', quantity },
  ...more,
})
const ramp = (...quantities: unknown[]) => ({ regression: quantities.map((q) => entry(q)) })
const quantities = (sld: string) =>
  [...sld.matchAll(/quantity="([^"]*)"/g)].map(([, q]) => Number(q))

test('entries are escaped, in the order of attributes that QGIS reads by a regular expression', () => {
  const sld = sldOf('w:l', { segmentation: [entry('1', { label: 'a < "b" & ${c}' })] })
  const qgis = /<ColorMapEntry color="([^"]*)" opacity="([^"]*)" quantity="([^"]*)" label="([^"]*)"/
  expect(qgis.exec(sld)?.slice(1)).toEqual([
    '#4589FF',
    '1',
    '1',
    'a &lt; &quot;b&quot; &amp; \\${c}',
  ])
  expect(drawingError(sld, 1)).toBeUndefined()
})

test('classes and scales draw one band of a raster with several', () => {
  for (const style of [{ segmentation: [entry(1)] }, ramp(0, 1)])
    expect(drawingError(sldOf('w:l', style), 4)).toBeUndefined()
})

test('a scale ascends, whatever its order was; a step keeps both its sides', () => {
  expect(quantities(sldOf('w:l', ramp(3, '1', 2)))).toEqual([1, 2, 3])
  const step = { regression: [entry(0), entry(1, { color: '#000000' }), entry(1), entry(2)] }
  const sld = sldOf('w:l', step)
  expect(sld.indexOf('#000000')).toBeLessThan(sld.lastIndexOf('quantity="1"'))
  expect(drawingError(sld, 1)).toBeUndefined()
})

test('more than 256 entries are an extended map; what is missing has the defaults of the wire', () => {
  const many = { segmentation: Array.from({ length: 300 }, (_, n) => entry(n)) }
  expect(drawingError(sldOf('w:l', many), 1)).toBeUndefined()
  expect(sldOf('w:l', { segmentation: [{}] })).toContain(
    '<ColorMapEntry color="#808080" opacity="0" quantity="0" label="Class 1"/>',
  )
  expect(sldOf('w:l', { segmentation: [{ color: '#abc' }] })).toContain('color="#aabbcc"')
})

const rgb = (more: object = {}) => ({
  rgb: ['Red', 'Green', 'Blue'].map((name, n) => ({
    ...{ label: `${name}Channel`, channel: n + 1, minValue: 0, maxValue: 3000, ...more },
  })),
})

test('a picture has three channels, stretched between two values', () => {
  expect(drawingError(sldOf('w:l', rgb()), 3)).toBeUndefined()
  expect(drawingError(sldOf('w:l', rgb()), 2)).toBe('there is no band 3')
})

const interpolated = {
  property_name: 'depth',
  property_values: [
    { value: 5, output: '#0000ff' },
    { value: 0, output: '#ffffff' },
  ],
}

test('vectors: literals, and values that follow a field, ascending', () => {
  const sld = sldOf('w:l', {
    polygon_style: { fill: interpolated, fill_opacity: 0.5, stroke: '#000', stroke_width: 1 },
    point_style: { well_known_name: 'star', size: 8, fill: '#ff0000' },
  })
  expect(drawingError(sld, 1)).toBeUndefined()
  expect(sld).toContain(
    '<CssParameter name="fill"><ogc:Function name="Interpolate"><ogc:PropertyName>depth</ogc:PropertyName>' +
      '<ogc:Literal>0</ogc:Literal><ogc:Literal>#ffffff</ogc:Literal><ogc:Literal>5</ogc:Literal><ogc:Literal>#0000ff</ogc:Literal>' +
      '<ogc:Literal>color</ogc:Literal></ogc:Function></CssParameter>',
  )
  expect(sld).toContain('<WellKnownName>star</WellKnownName>')
  expect(sldOf('w:l', { line_style: { stroke: '#112233' } })).toContain('<LineSymbolizer><Stroke>')
})

test('no style is no SLD', () => {
  for (const style of ['', 'x', null, undefined, {}, []]) expect(sldOf('w:l', style)).toBe('')
})

test.each([
  ['a colour by name', { segmentation: [entry(1, { color: 'red' })] }, 'segmentation[0].color'],
  ['eight digits', { segmentation: [entry(1, { color: '#11223344' })] }, 'segmentation[0].color'],
  ['an opacity in percent', { segmentation: [entry(1, { opacity: 80 })] }, 'opacity'],
  [
    'a quantity that is no number',
    { regression: [entry(0), entry('x')] },
    'regression[1].quantity',
  ],
  ['NaN', { regression: [entry(0), entry(Number.NaN)] }, 'regression[1].quantity'],
  ['a scale of one entry', ramp(1), 'two entries'],
  ['no entry', { segmentation: [] }, 'no entry'],
  ['no list', { segmentation: 'x' }, 'segmentation'],
  ['two channels', { rgb: rgb().rgb.slice(1) }, 'RedChannel'],
  ['band 0', rgb({ channel: 0 }), 'count from 1'],
  ['an empty stretch', rgb({ minValue: 3000 }), 'maxValue'],
  ['an unknown mark', { point_style: { well_known_name: 'moon' } }, 'well_known_name'],
  [
    'one point',
    { line_style: { stroke_width: { property_name: 'a', property_values: [{}] } } },
    'two',
  ],
])('%s is geoserver.bad_style and names the field', (_, style, field) => {
  expect(() => sldOf('w:l', style)).toThrow(
    expect.objectContaining({
      code: 'geoserver.bad_style',
      message: expect.stringContaining(field),
    }),
  )
})
