import type { File } from '@dagger.io/dagger'
import { expect, test } from 'vitest'
import { problemsOf } from '../../api/http/errors.ts'
import { inferenceInput } from '../../api/inference/schema.ts'
import { modelInput } from '../../api/models/schema.ts'
import { parseModel } from '../../pipelines/model.ts'
import { tidyRequest } from '../../pipelines/request-fields.ts'
import { moduleCatalogue } from '../../pipelines/module-catalogue.ts'
import { readRequest } from '../../pipelines/module-request.ts'
import type { InferenceRequest } from '../../pipelines/request.ts'
import { areasOf } from '../../pipelines/search/areas.ts'
import { rangesOf } from '../../pipelines/search/dates.ts'
import { readRunConfig } from '../../pipelines/wire.ts'

const BOX = [3, 45, 3.05, 45.05]
const SPEC = { bands: [{ index: 0, band_name: 'blue' }] }
const base = {
  model_display_name: 'm',
  spatial_domain: { bbox: [BOX] },
  temporal_domain: ['2024-06-10'],
}

const file = (body: unknown): File =>
  ({ name: async () => 'a.json', contents: async () => JSON.stringify(body) }) as never

/** What a place's planner is given; throws as the door itself or as its planner. */
const planned = async (request: InferenceRequest) => {
  await areasOf(request)
  rangesOf(request.temporal_domain, '2024-12-31')
  const { maxcc, min_coverage, one_per, clip, spatial_domain, data_connector_config } = request
  return {
    ...{ maxcc, min_coverage, one_per, clip },
    bbox: spatial_domain.bbox ?? null,
    resolution: data_connector_config?.[0]?.resolution_m ?? null,
  }
}
const rest = async (body: object) => {
  const { model_display_name, ...input } = inferenceInput.parse(
    tidyRequest(JSON.parse(JSON.stringify(body))),
  ) as Record<string, any>
  const { request } = readRunConfig({
    ...input,
    pipeline_steps: [{ process_id: 'terrakit-data-fetch', step_number: 0 }],
    model_name: model_display_name,
    model_input_data_spec: [SPEC],
    geoserver_push: [],
  })
  return planned(request)
}
const commandLine = async (body: object) => planned(await readRequest({ request: file(body) }))

const ring = (...points: number[][]) => ({ type: 'Polygon', coordinates: [points] })
const shape = (polygon: unknown) => ({ spatial_domain: { polygons: [polygon] } })

test.each<[string, object, object]>([
  ['a limit of clouds', { maxcc: 40 }, { maxcc: 40 }],
  ['a limit as text', { maxcc: '40' }, { maxcc: 40 }],
  ['no limit', { maxcc: 0 }, { maxcc: 0 }],
  ['nulls', { maxcc: null, min_coverage: null, one_per: null, clip: null }, { maxcc: 100 }],
  ['coverage', { min_coverage: 0.9 }, { min_coverage: 0.9 }],
  ['coverage as text', { min_coverage: '0.9' }, { min_coverage: 0.9 }],
  ['the best of a month', { one_per: 'month' }, { one_per: 'month' }],
  ['clip', { clip: true }, { clip: true }],
  ['clip as old clients write it', { clip: 'True' }, { clip: true }],
  ['a pixel size', { data_connector_config: [{ resolution_m: '20' }] }, { resolution: 20 }],
  ['180', { spatial_domain: { bbox: [[179.6, -17, -179.6, -16]] } }, { clip: false }],
  ['an open end', { temporal_domain: ['2024-06-10_..'] }, {}],
  ['a leap day', { temporal_domain: ['2024-02-29'] }, {}],
  ['heights', shape(ring([3, 45, 9], [3.1, 45, 9], [3.1, 45.1, 9], [3, 45, 9])), {}],
  ['a bow tie', shape(ring([3, 45], [3.1, 45.1], [3.1, 45], [3, 45.1], [3, 45])), {}],
])('both doors read %s alike', async (_name, more, expected) => {
  const body = { ...base, ...more }
  expect(await rest(body)).toMatchObject(expected)
  expect(await commandLine(body)).toEqual(await rest(body))
})

const circle = (count: number) =>
  ring(
    ...Array.from({ length: count + 1 }, (_, n) => {
      const turn = ((n % count) / count) * 2 * Math.PI
      return [3 + Math.cos(turn), 45 + Math.sin(turn)]
    }),
  )

test.each<[string, object]>([
  ['clouds of 101', { maxcc: 101 }],
  ['clouds of words', { maxcc: 'few' }],
  ['clouds of a list', { maxcc: [40] }],
  ['coverage of 90', { min_coverage: 90 }],
  ['coverage of true', { min_coverage: true }],
  ['a fortnight', { one_per: 'fortnight' }],
  ['a number of periods', { one_per: 3 }],
  ['clip as a word', { clip: 'yes' }],
  ['clip as a number', { clip: 1 }],
  ['pixels of a millimetre', { data_connector_config: [{ resolution_m: 0.001 }] }],
  ['pixels of a planet', { data_connector_config: [{ resolution_m: 1e9 }] }],
  ['pixels of words', { data_connector_config: [{ resolution_m: 'fine' }] }],
  ['a connector that is a number', { data_connector_config: [{ connector: 7 }] }],
  ['a tolerance of words', { model_input_data_spec: [{ ...SPEC, date_tolerance_days: 'some' }] }],
  ['a box of three', { spatial_domain: { bbox: [[1, 2, 3]] } }],
  ['a box upside down', { spatial_domain: { bbox: [[3, 46, 4, 45]] } }],
  ['a box around the globe', { spatial_domain: { bbox: [[10, 1, 9, 2]] } }],
  ['a box beyond the pole', { spatial_domain: { bbox: [[1, 80, 2, 91]] } }],
  ['a box of a line', { spatial_domain: { bbox: [[1, 2, 1, 3]] } }],
  ['a polygon of nothing', shape({ type: 'Polygon', coordinates: [] })],
  ['a polygon of words', shape(ring(['a', 'b'] as never, [1, 1], [2, 2], [1, 1]))],
  ['a polygon of three', shape(ring([1, 1], [2, 2], [1, 1]))],
  ['a polygon in metres', shape(ring([5e5, 5e6], [6e5, 5e6], [6e5, 6e6], [5e5, 5e6]))],
  ['a polygon without an area', shape(ring([1, 1], [2, 2], [3, 3], [1, 1]))],
  ['a polygon of nulls', shape(ring([null, 1] as never, [1, 1], [2, 2], [1, 1]))],
  ['a point', shape({ type: 'Point', coordinates: [1, 1] })],
  ['a feature of nothing', shape({ type: 'Feature', geometry: null })],
  ['a feature in a feature', shape({ type: 'Feature', geometry: { type: 'Feature' } })],
  ['tiles that are none', { spatial_domain: { tiles: ['31ZZZ'] } }],
  ['tiles of numbers', { spatial_domain: { tiles: [7] } }],
  ['a tile beyond its zoom', { spatial_domain: { tiles: ['2/4/0'] } }],
  ['the 30th of February', { temporal_domain: ['2024-02-30'] }],
  ['no leap day', { temporal_domain: ['2023-02-29'] }],
  ['the year 0', { temporal_domain: ['0000-01-01'] }],
  ['the year 9999', { temporal_domain: ['2024-01-01_9999-12-31'] }],
  ['no end at all', { temporal_domain: ['.._..'] }],
  ['an end before its beginning', { temporal_domain: ['2024-02-02_2024-01-01'] }],
  [
    'a thousand days apart',
    {
      temporal_domain: Array.from({ length: 1000 }, (_, n) =>
        new Date(Date.UTC(2010, 0, 1 + 2 * n)).toISOString().slice(0, 10),
      ),
    },
  ],
])('both doors refuse %s', async (_name, more) => {
  const body = { ...base, ...more }
  await expect(rest(body)).rejects.toThrow()
  await expect(commandLine(body)).rejects.toThrow()
})

test('a polygon of very many positions, or one that crosses itself, is planned at once', async () => {
  let seed = 1
  const next = () => (seed = (seed * 16807) % 2147483647) / 2147483647
  const wild = (length: number) => {
    const points = Array.from({ length }, () => [3 + next(), 45 + next()])
    return ring(...points, points[0]!)
  }
  const planned = async (polygon: object) => {
    const began = performance.now()
    const [area] = await areasOf({ ...base, spatial_domain: { polygons: [polygon] } } as never)
    expect(area!.shape.flat(2).length).toBeLessThan(250)
    return performance.now() - began
  }
  for (const shape of [circle, wild]) {
    const few = Math.min(await planned(shape(200)), await planned(shape(200)))
    const many = await planned(shape(shape === circle ? 19_000 : 5000))
    // With every position the union alone takes a thousand times as long.
    console.log(`geodag: very many positions took ${(many / few).toFixed(1)} times those of 200`)
    expect(many / few).toBeLessThan(200)
  }
})

const text = (contents: string) =>
  ({ name: async () => 'place.geojson', contents: async () => contents }) as never

test.each<[string, object, RegExp]>([
  ['a file of words', { polygon: text('POLYGON((1 1))') }, /request\.polygon: place\.geojson/],
  [
    'a collection of nothing',
    { polygon: text('{"type":"FeatureCollection","features":[]}') },
    /request\.polygon: place\.geojson: is a FeatureCollection of nothing/,
  ],
  [
    'a collection without features',
    { polygon: text('{"type":"FeatureCollection"}') },
    /of nothing/,
  ],
  [
    'a collection of points',
    {
      polygon: text(
        '{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Point","coordinates":[1,1]}}]}',
      ),
    },
    /place\.geojson: feature 0/,
  ],
  ['null', { polygon: text('null') }, /request\.polygon/],
  ['three numbers', { bbox: '1,2,3' }, /request\.invalid: bbox/],
  ['words', { bbox: 'a,b,c,d' }, /request\.invalid: bbox/],
  ['a box without end', { bbox: '1,2,1e999,4' }, /request\.invalid: bbox/],
  ['an empty box', { bbox: '' }, /request\.invalid: bbox/],
  ['a box upside down', { bbox: '1,3,2,2' }, /bbox\.0/],
  ['no day', { bbox: '1,2,3,4', datetime: '' }, /request\.temporal_domain/],
  ['a time of day', { datetime: '2024-06-10T10:00:00Z' }, /request\.temporal_domain/],
  ['too much cloud', { maxcc: 101 }, /maxcc/],
  ['coverage of words', { minCoverage: 'all' }, /min_coverage/],
  ['a fortnight', { onePer: 'fortnight' }, /one_per/],
])('the command line refuses %s by name', async (_name, args, said) => {
  await expect(readRequest(args)).rejects.toThrow(said)
})

test.each([
  '{"earthdata": "s3cret"',
  's3cret',
  '["s3cret"]',
  '{"password": "s3cret"}',
  '{"sentinelhub": {"id": "s3cret"}}',
  '{"tokens": {"x": ["s3cret"]}}',
  '{"buckets": "s3cret"}',
])('credentials that are wrong are named, never repeated: %s', async (secret) => {
  const credentials = { plaintext: async () => secret } as never
  const failed = await moduleCatalogue({ credentials }).then(
    () => undefined,
    (error: Error) => error,
  )
  expect(failed!.message).toMatch(/^catalogue\.credentials: /)
  expect(failed!.message).not.toContain('s3cret')
})

test.each([
  [{ url: 'https://h.example.org/m.onnx' }, 'inference.weights.sha256'],
  [{ url: 'https://h.example.org/m.onnx', sha256: 'abc' }, 'inference.weights.sha256'],
  [{ pypi: 'ukis-csmask==1.0.0', sha256: '0'.repeat(64) }, 'inference.weights.path'],
  [{ file: '../m.onnx' }, 'inference.weights.file'],
])('weights that lack something: both doors name it (%j)', (weights, field) => {
  const model = {
    ...{ display_name: 'm', pipeline_steps: [{ process_id: 'onnx-inference', step_number: 0 }] },
    ...{ model_input_data_spec: [SPEC], inference: { weights, task: 'regression' } },
  }
  const parsed = modelInput.safeParse(model)
  const [problem] = problemsOf(parsed.error!, model, 'body')
  expect(problem!.loc.join('.')).toBe(`body.${field}`)
  const said = new RegExp(`${field.replaceAll('.', '\\.')}|give \\{file\\}.*\\{url, sha256\\}`)
  expect(() => parseModel(JSON.stringify(model))).toThrow(said)
})
