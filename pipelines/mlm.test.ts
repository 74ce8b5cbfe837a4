import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { modelToMlm } from './mlm-write.ts'
import { mlmToModel, readModelText } from './mlm-read.ts'
import { parseModel } from './model.ts'

const models = join(import.meta.dirname, '../models')
const shipped = readdirSync(models).filter((name) => name.endsWith('.yaml'))
const read = (name: string) => parseModel(readFileSync(join(models, name), 'utf8'), name)

test.each(shipped)('%s goes to STAC MLM and back without a loss', (name) => {
  const model = read(name)
  const item = modelToMlm(model)
  expect(mlmToModel(JSON.parse(JSON.stringify(item)))).toEqual(model)
  expect(item.properties['mlm:input'][0]!.bands).toHaveLength(
    model.model_input_data_spec[0]!.bands.length,
  )
})

test("another registry's Item becomes a model: bands, statistics, weights by URL and digest", () => {
  const item = modelToMlm(read('ukis-csmask.yaml')) as { properties: object; assets: object }
  const sha256 = 'a'.repeat(64)
  const other = {
    ...item,
    properties: { ...item.properties, 'geodag:model': undefined },
    assets: {
      m: {
        href: 'https://a.test/m.onnx',
        ...{ roles: ['mlm:model'], 'file:checksum': `1220${sha256}` },
      },
    },
  }
  const model = mlmToModel(JSON.parse(JSON.stringify(other)))
  expect(model.model_input_data_spec[0]!.bands.map((band) => band.band_name)).toEqual([
    ...['blue', 'green', 'red', 'nir', 'swir16', 'swir22'],
  ])
  expect(model.inference).toMatchObject({
    ...{ weights: { url: 'https://a.test/m.onnx', sha256 }, task: 'segmentation', tile: 256 },
  })
  expect((model.inference as { mean: number[] }).mean).toHaveLength(6)
})

test('an Item that does not say what it takes is refused by the field', () => {
  expect(() => mlmToModel({ type: 'Feature', id: 'x', properties: {}, assets: {} })).toThrow(
    /model\.invalid: .*mlm:name/s,
  )
})

test('a model file may be the Item itself; weights without a digest are refused', () => {
  const item = modelToMlm(read('ukis-csmask.yaml'))
  expect(readModelText(JSON.stringify(item), 'item.json')).toEqual(read('ukis-csmask.yaml'))
  expect(() => readModelText(': {', 'item.json')).toThrow('model.invalid: item.json')
  const { 'geodag:model': _, ...properties } = item.properties
  const bare = { ...item, properties, assets: { m: { href: 'https://a.test/m', roles: [] } } }
  expect(() => mlmToModel(bare)).toThrow('none has the role mlm:model')
  bare.assets.m.roles = ['mlm:model'] as never
  expect(() => mlmToModel(bare)).toThrow('file:checksum')
})
