import type { File } from '@dagger.io/dagger'
import { expect, test } from 'vitest'
import { inferenceInput, inferenceLimits } from '../../api/inference/schema.ts'
import { HttpError } from '../../api/http/errors.ts'
import { parseJson } from '../../api/http/json.ts'
import { readRequest } from '../../pipelines/module-request.ts'
import type { InferenceRequest } from '../../pipelines/request.ts'
import { tidyRequest } from '../../pipelines/request-fields.ts'
import { isByPlace, scenesOf } from '../../pipelines/scenes.ts'
import { areasOf } from '../../pipelines/search/areas.ts'
import { rangesOf } from '../../pipelines/search/dates.ts'
import { readRunConfig } from '../../pipelines/wire.ts'

/** One text, as the body of a POST and as a file of the command line: the same plan, or no plan. */

const SPEC = { bands: [{ index: 0, band_name: 'blue' }] }
const PLACE = { bbox: [[3, 45, 3.05, 45.05]] }
const SCENE = { urls: ['https://host.example.org/a.tif'] }
const base = {
  model_display_name: 'm',
  spatial_domain: PLACE as object,
  temporal_domain: ['2024-06-10'] as unknown,
}

const planned = async (request: InferenceRequest) => {
  const byPlace = isByPlace(request)
  if (byPlace) {
    await areasOf(request)
    rangesOf(request.temporal_domain, '2024-12-31')
  }
  const { maxcc, min_coverage, one_per, clip, spatial_domain } = request
  const dates = scenesOf(request, [], byPlace).map(({ date }) => date)
  const [entry] = request.data_connector_config ?? []
  const resolution = entry?.resolution_m ?? null
  return {
    maxcc,
    min_coverage,
    one_per,
    clip,
    bbox: spatial_domain.bbox ?? null,
    dates,
    resolution,
  }
}
const rest = async (text: string) => {
  // As a body is read: without its byte-order mark (WHATWG Encoding, UTF-8 decode).
  const body = parseJson(text.replace(/^\uFEFF/, ''), 'body', inferenceLimits)
  const { model_display_name, ...input } = inferenceInput.parse(tidyRequest(body)) as Record<
    string,
    any
  >
  const { request } = readRunConfig({
    ...input,
    pipeline_steps: [{ process_id: 'terrakit-data-fetch', step_number: 0 }],
    model_name: model_display_name,
    model_input_data_spec: input.model_input_data_spec?.length
      ? input.model_input_data_spec
      : [SPEC],
    geoserver_push: [],
  })
  return planned(request)
}
const file = (name: string, text: string): File =>
  ({ name: async () => name, contents: async () => text }) as never
const commandLine = async (text: string) =>
  planned(await readRequest({ request: file('request.json', text) }))

const json = (more: object) => JSON.stringify({ ...base, ...more })
const place = (more: object) => json({ spatial_domain: { ...PLACE, ...more } })
const polygon = (...positions: unknown[][]) =>
  json({ spatial_domain: { polygons: [{ type: 'Polygon', coordinates: [positions] }] } })
const dated = (...days: unknown[]) => json({ temporal_domain: days })
const ofScene = (...days: string[]) => json({ spatial_domain: SCENE, temporal_domain: days })
const spec = (more: object) => ({ model_input_data_spec: [{ ...SPEC, ...more }] })
const raw = (more: string) =>
  `{"spatial_domain":{"bbox":[[3,45,3.05,45.05]]},"temporal_domain":["2024-06-10"],"model_display_name":"m"${more}}`

test.each<[string, string, object]>([
  ['a byte-order mark', `\uFEFF${json({})}`, { maxcc: 100 }],
  [
    'line ends of another system and tabs',
    JSON.stringify(base, null, '\t').replaceAll('\n', '\r\n'),
    {},
  ],
  ['a number with an exponent', raw(',"maxcc":4e1'), { maxcc: 40 }],
  ['a number with a fraction of nothing', raw(',"maxcc":40.0'), { maxcc: 40 }],
  ['a number as text, with spaces and a sign', json({ maxcc: ' +40 ' }), { maxcc: 40 }],
  ['escapes', raw(',"description":"K\\u00f6ln \\ud83d\\ude00 \\/"'), {}],
  ['nulls of a spec', json(spec({ connector: null, collection: null, radiometry: null })), {}],
  [
    'nulls of a layer',
    json({
      geoserver_push: [
        {
          ...{ workspace: 'w', layer_name: 'a', display_name: 'b', filepath_key: 'c' },
          ...{ file_suffix: null, geoserver_style: null, z_index: null },
        },
      ],
    }),
    {},
  ],
  ['nulls of a connector', json({ data_connector_config: [{ connector: null, bands: null }] }), {}],
  ['nulls of masks', json({ post_processing: { cloud_masking: null, regularization: null } }), {}],
  ['null beside a place', place({ urls: null, polygons: null, tiles: null }), {}],
  ['a period with a slash', dated('2024-06-10/2024-06-12'), {}],
  ['a period open at its beginning', dated('../2024-06-12'), {}],
  ['a period open at its end', dated('2024-06-10_'), {}],
  ['spaces around days', dated(' 2024-06-10 / 2024-06-12 '), {}],
  ['a day with spaces, of a scene', ofScene(' 2024-06-10 '), { dates: ['2024-06-10'] }],
  ['a scene without a day', ofScene(), { dates: [null] }],
  ['an upper-case scheme', json({ spatial_domain: { urls: ['HTTPS://h.example.org/a.TIF'] } }), {}],
  ['a bucket', json({ spatial_domain: { urls: ['s3://my-bucket/a/b.tif'] } }), {}],
  ['a tile in small letters', json({ spatial_domain: { tiles: [' 31tcj '] } }), {}],
  ['a ring that is not closed', polygon([3, 45], [3.1, 45], [3.1, 45.1], [3, 45.1]), {}],
])('both doors read %s alike', async (_name, text, expected) => {
  const read = await rest(text)
  expect(read).toMatchObject(expected)
  expect(await commandLine(text)).toEqual(read)
})

test.each<[string, string]>([
  ['a limit with a fraction', json({ maxcc: 80.5 })],
  ['a limit with a fraction, as text', json({ maxcc: '80.5' })],
  ['a limit in hexadecimal', json({ maxcc: '0x28' })],
  ['a limit of nothing', json({ maxcc: '' })],
  ['a limit of true', json({ maxcc: true })],
  ['one name twice', raw(',"maxcc":10,"maxcc":90')],
  [
    'one name twice, deeper',
    raw(',"post_processing":{"cloud_masking":true,"cloud_masking":false}'),
  ],
  ['a field in another case', json({ MaxCC: 10 })],
  ['a field with a hyphen', json({ 'min-coverage': 0.9 })],
  ['a place in another case', place({ Polygons: [] })],
  ['a band in another case', json(spec({ bands: [{ ...SPEC.bands[0], Scaling_Factor: 2 }] }))],
  ['a spec in another case', json(spec({ Radiometry: 'scaled' }))],
  ['a mask in another case', json({ post_processing: { Cloud_Masking: true } })],
  ['a connector in another case', json({ data_connector_config: [{ Resolution_m: 20 }] })],
  ['NUL in a text', raw(',"description":"a\\u0000b"')],
  ['half a surrogate pair', raw(',"description":"a\\ud800b"')],
  ['a very long description', json({ description: 'x'.repeat(10_001) })],
  ['a very long location', json({ location: 'x'.repeat(101) })],
  ['a very long name of a model', json({ model_display_name: 'm'.repeat(101) })],
  ['a description that is a number', json({ description: 5 })],
  ['days of one text', json({ temporal_domain: '2024-06-10' })],
  ['a day as a number', dated(20240610)],
  ['a day without hyphens', dated('20240610')],
  ['a month', dated('2024-06')],
  ['a day of a scene in another order', ofScene('10/06/2024')],
  ['a day of a scene that no calendar has', ofScene('2024-02-30')],
  ['a time of day', ofScene('2024-06-10T10:50:31Z')],
  ['a time of day in small letters', dated('2024-06-10t10:50:31z')],
  ['a fraction of a second with an offset', dated('2024-06-10T10:50:31.5+02:00')],
  ['a leap second', dated('2016-12-31T23:59:60Z')],
  ['an interval of times', dated('2024-06-10T00:00:00Z/2024-06-12T23:59:59Z')],
  ['three ends', dated('2024-06-10_2024-06-11_2024-06-12')],
  ['one flat box', json({ spatial_domain: { bbox: [3, 45, 4, 46] } })],
  ['a box of texts', json({ spatial_domain: { bbox: [['3', '45', '4', '46']] } })],
  ['a box with heights', json({ spatial_domain: { bbox: [[3, 45, 0, 4, 46, 100]] } })],
  ['a box of nothing at 180 degrees', json({ spatial_domain: { bbox: [[180, 0, -180, 1]] } })],
  ['a point as a box', json({ spatial_domain: { bbox: [[3, 45, 3, 45]] } })],
  ['a height that is a text', polygon([3, 45, 'a'], [3.1, 45], [3.1, 45.1], [3, 45])],
  ['a height of null', polygon([3, 45, null], [3.1, 45], [3.1, 45.1], [3, 45])],
  [
    'a line',
    json({ spatial_domain: { polygons: [{ type: 'LineString', coordinates: [[3, 45]] }] } }),
  ],
  [
    'positions alone',
    json({
      spatial_domain: {
        polygons: [
          [
            [
              [3, 45],
              [4, 45],
              [4, 46],
              [3, 45],
            ],
          ],
        ],
      },
    }),
  ],
  [
    'a collection',
    json({ spatial_domain: { polygons: [{ type: 'GeometryCollection', geometries: [] }] } }),
  ],
  ['ftp', json({ spatial_domain: { urls: ['ftp://host.example.org/a.tif'] } })],
  ['a file URL', json({ spatial_domain: { urls: ['file:///etc/passwd'] } })],
  ['a bucket without a key', json({ spatial_domain: { urls: ['s3://my-bucket/'] } })],
  ['https without a host', json({ spatial_domain: { urls: ['https://'] } })],
  ['a URL of nothing', json({ spatial_domain: { urls: [''] } })],
  ['a very long URL', json({ spatial_domain: { urls: [`https://h/${'a'.repeat(8000)}`] } })],
  ['a step without a name', json({ pipeline_steps: [{ step_number: 0 }] })],
  ['a list', JSON.stringify([base])],
  ['a text', '"x"'],
  ['nothing', ''],
])('both doors refuse %s', async (_name, text) => {
  await expect(rest(text)).rejects.toThrow()
  await expect(commandLine(text)).rejects.toThrow(/request\./)
})

test.each([
  ['maxcc: 1\nmaxcc: 2', /unique/],
  ['MaxCC: 1', /no such field; write maxcc/],
  ['clip: yes', /clip/],
  ['temporal_domain: [2024-06-10T00:00:00Z]', /time of day/],
  ['temporal_domain: [10/06/2024]', /temporal_domain\.0/],
  ['spatial_domain: {bbox: [[.nan, 1, 2, 3]]}', /bbox\.0\.0/],
  ['spatial_domain: {bbox: [[3, 45, .inf, 46]]}', /bbox\.0\.2/],
  ['location: "a\\0b"', /location: should be valid text/],
  ['<<: {maxcc: 20}', /<<: no such field/],
  ['a: &a [x]\nmaxcc: 20', /a: no such field/],
  ['maxcc: 1\n---\nmaxcc: 2', /multiple documents/],
  ['generic_processor_id: 5b7b2d0c-0000-4000-8000-000000000000', /--processor/],
  ['fine_tuning_id: geotune-x', /--checkpoint/],
])('YAML that says something else than it seems is refused: %s', async (text, said) => {
  await expect(readRequest({ request: file('r.yaml', text) })).rejects.toThrow(said)
})

test.each([
  ['temporal_domain: [2024-06-10]', { temporal_domain: ['2024-06-10'] }],
  ['\uFEFF---\nmaxcc: 1e1\n...\n', { maxcc: 10 }],
  ['maxcc: ~\nclip: TRUE', { maxcc: 100, clip: true }],
  ['spatial_domain: {bbox: [&b [3, 45, 4, 46], *b]}', { maxcc: 100 }],
  ['location: no', { location: 'no' }],
])('YAML is read by its core schema: %s', async (text, expected) => {
  expect(await readRequest({ request: file('r.yaml', text) })).toMatchObject(expected)
})

test('a GeoJSON file with a byte-order mark is read; a box in hexadecimal is none', async () => {
  const shape = {
    type: 'Polygon',
    coordinates: [
      [
        [3, 45],
        [4, 45],
        [4, 46],
        [3, 45],
      ],
    ],
  }
  const given = file('p.geojson', `\uFEFF${JSON.stringify(shape)}`)
  const { spatial_domain } = await readRequest({ polygon: given })
  expect(spatial_domain.polygons).toEqual([shape])
  await expect(readRequest({ bbox: '0x3,45,4,46' })).rejects.toThrow(/request\.invalid: bbox/)
})

test('what is no JSON at all is said by the parser, not as a name that stands twice', () => {
  for (const text of ["{'a': 1, 'b': 2}", '{a: 1, b: 2}', '{"a": : 1}']) {
    expect(() => parseJson(text, 'body', inferenceLimits)).toThrow(SyntaxError)
  }
  const twice = () => parseJson('[{"a": 1}, {"a": 1, "b": {"a": 2}, "a": 3}]', 'body')
  expect(twice).toThrow(HttpError)
  expect(twice).toThrow(/json_duplicate/)
})
