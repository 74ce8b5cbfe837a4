import { expect, test } from 'vitest'
import type { InputSpec, PlanContext, Scene } from '../plan-context.ts'
import { contract } from './contract.ts'

const accepts = (value: unknown) => contract.parameters.safeParse(value).success

test('a URL or a file is taken, not both and not none', () => {
  expect(accepts({ url: 'https://example.org/a.tif' })).toBe(true)
  expect(accepts({ file: 'a.tif' })).toBe(true)
  expect(accepts({ file: 'a.tif', url: 'https://example.org/a.tif' })).toBe(false)
  expect(accepts({})).toBe(false)
})

test('schemes other than http, https and s3 are refused', () => {
  expect(accepts({ url: 's3://bucket/a.tif' })).toBe(true)
  expect(accepts({ url: 'file:///etc/passwd' })).toBe(false)
  expect(accepts({ url: 'ftp://example.org/a.tif' })).toBe(false)
})

test('an unknown parameter and a negative band index are refused', () => {
  expect(accepts({ file: 'a.tif', bnads: [] })).toBe(false)
  expect(accepts({ file: 'a.tif', bands: [{ index: -1, band_name: 'B02' }] })).toBe(false)
})

test('modalities stand instead of one scene, each with one of URL and file', () => {
  const one = { name: 'S2L2A', file: 'a.tif' }
  const other = { name: 'S1GRD', url: 'https://example.org/b.tif' }
  expect(accepts({ modalities: [one, other] })).toBe(true)
  expect(accepts({ modalities: [one] })).toBe(false)
  expect(accepts({ modalities: [one, other], file: 'a.tif' })).toBe(false)
  expect(accepts({ modalities: [one, { ...other, file: 'b.tif' }] })).toBe(false)
  expect(accepts({ modalities: [one, { ...other, name: '../x' }] })).toBe(false)
})

const spec = (band_name: string, more: object = {}): InputSpec => ({
  bands: [{ index: 0, band_name, scaling_factor: 1, RGB_band: null }],
  ...more,
})
const S2 = spec('red', { modality_tag: 'S2L2A', connector: 'sentinel_aws', collection: 's2' })
const S1 = spec('VV', { collection: 's1_grd', radiometry: 'scaled' })
const planned = (
  input_spec: InputSpec[],
  scenes: Scene[],
  inference: unknown = { weights: {} },
  options = {},
) =>
  contract.parameters.parse(
    contract.plan({
      ...{
        inference_id: 'i',
        task_id: 't',
        model: 'm',
        inference,
        input_spec,
        layers: [],
        date: '2024-06-10',
      },
      ...{ source: { kind: 'scene', scenes }, post_processing: {}, options },
    } satisfies PlanContext),
  )
const at = (modality: string | null, url = `https://example.org/${modality}.tif`) => ({
  modality,
  url,
})

test('each modality gets its URL by tag or collection, in the order of the spec, whatever the spelling', () => {
  const { modalities } = planned([S2, S1], [at('S1-GRD'), at('s2l2a')])
  expect(modalities).toMatchObject([
    { name: 'S2L2A', url: 'https://example.org/s2l2a.tif', bands: [{ band_name: 'red' }] },
    { name: 's1_grd', radiometry: 'scaled', bands: [{ band_name: 'VV' }] },
  ])
  expect(planned([S2, S1], [at('sentinel_aws/s2'), at('s1_grd')]).modalities).toHaveLength(2)
  const unnamed = planned([spec('red'), spec('VV')], [at('a'), at('b')])
  expect(unnamed.modalities!.map(({ name }) => name)).toEqual(['modality_1', 'modality_2'])
})

test('one modality is planned as ever, under any name', () => {
  expect(planned([S2], [at('whatever')])).toMatchObject({ url: 'https://example.org/whatever.tif' })
  expect(planned([S2], [at(null)]).modalities).toBeUndefined()
})

test.each([
  [[S2, S1], [at(null)], /1 of the model's 2 modalities: give {S2L2A: URL, s1_grd: URL}/],
  [[S2], [at('S2L2A'), at('S1GRD')], /2 of the model's 1 modalities: give a URL/],
  [[S2, S1], [at('S2L2A'), at('DEM')], /no modality is called s1_grd/],
  [[S2, spec('red', { modality_tag: 'S2L2A' })], [at('a'), at('b')], /two modalities are called/],
  [[S2, spec('B', { collection: 's2' })], [at('s2'), at('x')], /one URL would be two/],
])('scenes that do not fit the modalities are refused with the cure', (specs, scenes, message) => {
  expect(() => planned(specs, scenes)).toThrow(message)
})

test('a scene in a zip of several shares the download of its inference', () => {
  const scene = { ...at(null, 'https://example.org/a.zip'), member: 'a/b.tif' }
  expect(planned([S2], [scene])).toMatchObject({ member: 'a/b.tif', zip_key: 'i' })
  expect(planned([S2], [at(null)])).not.toHaveProperty('zip_key')
})

test('what no model and no script reads may be a vector layer', () => {
  const processor = { script: '', file_name: 'a.py', processor_parameters: {} }
  expect(planned([S2], [at(null)], null).layer).toBe(true)
  expect(planned([], [at(null)], null)).toMatchObject({ layer: true, bands: [] })
  expect(() => planned([], [at(null)])).toThrow('model_input_data_spec is empty')
  expect(planned([S2], [at(null)]).layer).toBe(false)
  expect(planned([S2], [at(null)], null, { processor }).layer).toBe(false)
})

test('the objects that the operator has to sign are those of buckets alone', () => {
  const objects = (scenes: Scene[]) => contract.objects!(planned([S2, S1], scenes))
  expect(objects([at('S2L2A', 's3://b/a.tif'), at('s1_grd')])).toEqual(['s3://b/a.tif'])
  expect(objects([at('S2L2A'), at('s1_grd')])).toEqual([])
  expect(contract.objects!(planned([S2], [at(null, 's3://b/a.tif')]))).toEqual(['s3://b/a.tif'])
})
