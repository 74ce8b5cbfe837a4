import { expect, test } from 'vitest'
import { modelToMlm } from './mlm-write.ts'
import { mlmToModel } from './mlm-read.ts'
import { modelMetadata } from './model.ts'

const checksum = `1220${'a'.repeat(64)}`
/** An Item as another registry writes it, with words that geodag has no use for. */
const item = {
  $comment: 'Written by a registry',
  type: 'Feature',
  stac_version: '1.0.0',
  stac_extensions: [
    'https://stac-extensions.github.io/mlm/v1.5.2/schema.json',
    'https://stac-extensions.github.io/eo/v1.1.0/schema.json',
  ],
  id: 'field-boundaries',
  collection: 'models',
  bbox: [-7.9, 37.1, 27.9, 58.2],
  geometry: { type: 'Point', coordinates: [10, 47] },
  properties: {
    description: 'Field boundaries of two dates',
    license: 'CC-BY-NC-4.0',
    datetime: null,
    start_datetime: '2015-06-23T00:00:00Z',
    end_datetime: '2024-08-27T23:59:59Z',
    'mlm:name': 'U-Net, efficientnet b3',
    'mlm:architecture': 'Unet',
    'mlm:framework': 'pytorch',
    'mlm:framework_version': '2.1.2+cu121',
    'mlm:total_parameters': 13160978,
    'mlm:pretrained': true,
    'mlm:accelerator': 'cuda',
    'mlm:tasks': ['semantic-segmentation'],
    'mlm:input': [
      {
        name: 'model_input',
        bands: ['B4', 'B3', 'B2', 'B8'],
        variables: [],
        input: {
          shape: [-1, 256, 128, 4],
          dim_order: ['batch', 'height', 'width', 'bands'],
          data_type: 'float32',
        },
        value_scaling: [{ type: 'z-score', mean: 0, stddev: 3000 }],
        pre_processing_function: { format: 'python', expression: 'collate' },
      },
    ],
    'mlm:output': [
      {
        name: 'model_output',
        tasks: ['semantic-segmentation'],
        result: { shape: [-1, 3], dim_order: ['batch', 'classes'], data_type: 'float32' },
        'classification:classes': [
          { value: 0, name: 'background', description: 'Other' },
          { value: 1, name: 'field', title: 'Field', color_hint: [0, 255, 16] },
          { value: 2, name: 'boundary', color_hint: 'ff0000' },
        ],
        post_processing_function: null,
      },
    ],
    'ml-aoi:split': 'train',
  },
  links: [{ rel: 'cite-as', href: 'https://doi.example.org/1', type: 'text/html' }],
  assets: {
    code: { href: 'https://a.test/code', type: 'text/html', roles: ['mlm:source_code', 'code'] },
    m: {
      href: 'https://a.test/m.onnx',
      title: 'Weights',
      roles: ['mlm:model', 'mlm:weights', 'data'],
      'mlm:artifact_type': 'onnx',
      'file:checksum': checksum,
      'eo:bands': [{ name: 'B4', common_name: 'red', center_wavelength: 0.66 }],
    },
  },
}
const again = (value: object) => JSON.parse(JSON.stringify(value))
const withoutOwn = (written: any) => {
  const { 'geodag:model': own, ...properties } = written.properties
  expect(own.mlm).toBeUndefined()
  return again({ ...written, properties })
}

test('every word of an Item comes out again, through the metadata as JSON, and a second time', () => {
  const model = mlmToModel(item)
  const written = modelToMlm(modelMetadata.parse(again(model)))
  expect(withoutOwn(written)).toEqual(item)
  const second = modelToMlm(mlmToModel(again(written)))
  expect(withoutOwn(second)).toEqual(item)
})

test('what is changed of the model is changed in its Item, and nothing else', () => {
  const model = mlmToModel(item)
  const inference = {
    ...model.inference,
    weights: { url: 'https://b.test/n.onnx', sha256: 'b'.repeat(64) },
  }
  const changed = { ...model, display_name: 'renamed', licence: 'Apache-2.0', inference }
  const written = withoutOwn(modelToMlm(changed))
  expect(written.id).toBe('renamed')
  expect(written.properties).toEqual({
    ...item.properties,
    ...{ 'mlm:name': 'renamed', license: 'Apache-2.0' },
  })
  expect(written.assets.code).toEqual(item.assets.code)
  expect(written.assets.m).toMatchObject({
    ...{ href: 'https://b.test/n.onnx', 'file:checksum': `1220${'b'.repeat(64)}` },
    'eo:bands': item.assets.m['eo:bands'],
  })
  const { licence: _, ...unlicensed } = model
  expect(withoutOwn(modelToMlm(unlicensed)).properties).not.toHaveProperty('license')
})

test('an Item with less than STAC asks for is filled up; one that geodag wrote is not kept twice', () => {
  const { bbox, geometry, links, stac_version, stac_extensions, ...bare } = item
  const { datetime, start_datetime, end_datetime, ...properties } = bare.properties
  const written = withoutOwn(modelToMlm(mlmToModel({ ...bare, properties })))
  expect(written).toMatchObject({ stac_version: '1.1.0', links: [], $comment: item.$comment })
  expect(written.properties).toMatchObject({ start_datetime: '1970-01-01T00:00:00Z' })
  expect(written.stac_extensions[0]).toContain('/mlm/')
  const own = modelToMlm({ ...mlmToModel(item), mlm: undefined })
  expect(mlmToModel(again(own)).mlm).toBeUndefined()
})

test('a registry’s scaling, sides and classes are read by their meaning', () => {
  const { inference, geoserver_push } = mlmToModel(item) as any
  expect(inference).toMatchObject({ mean: [0, 0, 0, 0], std: [3000, 3000, 3000, 3000], tile: 128 })
  expect(geoserver_push[0].geoserver_style.segmentation).toEqual([
    { color: '#808080', opacity: 0, quantity: 0, label: 'background' },
    { color: '#00FF10', opacity: 1, quantity: 1, label: 'Field' },
    { color: '#FF0000', opacity: 1, quantity: 2, label: 'boundary' },
  ])
  const scaled = (value_scaling: unknown) => {
    const [input] = item.properties['mlm:input']
    const properties = { ...item.properties, 'mlm:input': [{ ...input, value_scaling }] }
    return mlmToModel({ ...item, properties }).inference as any
  }
  const kinds = scaled([
    { type: 'min-max', minimum: 100, maximum: 300 },
    { type: 'scale', value: 10_000 },
    { type: 'offset', value: 5 },
    { type: null },
  ])
  expect([kinds.mean, kinds.std]).toEqual([
    [100, 0, 5, 0],
    [200, 10_000, 1, 1],
  ])
  expect(scaled(null)).not.toHaveProperty('mean')
  const clip = [{ type: 'clip', minimum: 0, maximum: 1 }]
  expect(() => scaled(clip)).toThrow(/value_scaling\.0.*not by clip/)
  expect(() => scaled([{ type: 'z-score', mean: 1 }])).toThrow(/value_scaling\.0\.stddev/)
  expect(() => scaled(kinds.mean.slice(1).map(() => ({ type: 'scale', value: 1 })))).toThrow(
    'has 3 entries for 4 bands',
  )
})

test('an input that names no band is refused with what to write', () => {
  const [input] = item.properties['mlm:input']
  for (const bands of [[], undefined]) {
    const properties = { ...item.properties, 'mlm:input': [{ ...input, bands }] }
    expect(() => mlmToModel({ ...item, properties })).toThrow('name the bands that the model reads')
  }
})
