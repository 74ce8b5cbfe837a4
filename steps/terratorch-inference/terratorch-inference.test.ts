import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { stepNamed } from '../contracts.ts'
import { PlanError } from '../errors.ts'
import { filesOf } from '../weights.ts'
import { contract } from './contract.ts'
import { metadataOfConfig } from './metadata.ts'

const config = { file: 'config.yaml' }
const checkpoint = { url: 'https://example.org/best.ckpt', sha256: 'a'.repeat(64) }
const accepts = (value: object) => contract.inference!.safeParse(value).success

test('a tune is a config and a checkpoint, or the ONNX that was made of them', () => {
  expect(stepNamed('terratorch-inference')).toBe('terratorch-inference')
  expect(accepts({ config, checkpoint })).toBe(true)
  expect(accepts({ config, checkpoint, output_on_inference: ['prediction', 'logits'] })).toBe(true)
  expect(accepts({ weights: { file: 'tiny-water/tiny_water.onnx' }, tile: 64 })).toBe(true)
  expect(accepts({ config })).toBe(false)
  expect(accepts({})).toBe(false)
  expect(accepts({ config, checkpoint, weights: { file: 'a.onnx' } })).toBe(false)
  expect(accepts({ config: { file: '../../etc/passwd' }, checkpoint })).toBe(false)
  expect(accepts({ config, checkpoint: { url: checkpoint.url } })).toBe(false)
})

test('the files of a block are found by their keys', () => {
  expect(filesOf({ config, checkpoint })).toEqual([
    ['config', config],
    ['checkpoint', checkpoint],
  ])
  expect(filesOf(null)).toEqual([])
})

const tiny = new URL('../../models/tiny-water/config_deploy.yaml', import.meta.url)
const text = readFileSync(tiny, 'utf8')
const codeOf = (given: string): string => {
  try {
    metadataOfConfig(given)
    return 'ok'
  } catch (error) {
    if (error instanceof PlanError) return error.code
    throw error
  }
}

test('a config says the bands of the file and the names of the classes', () => {
  const made = metadataOfConfig(text)
  expect(made.model_input_data_spec[0]!.bands).toHaveLength(13)
  expect(made.model_input_data_spec[0]!.bands[3]).toEqual({
    index: 3,
    band_name: 'RED',
    scaling_factor: 1,
    RGB_band: 'R',
  })
  const [layer] = made.geoserver_push
  expect(layer!.geoserver_style.segmentation.map(({ label }) => label)).toEqual([
    'no_water',
    'water',
  ])
})

test('of two lists of bands the one for prediction counts, ranges include both ends', () => {
  const changed = text.replace('    drop_last: true', '    predict_dataset_bands: [[0, 5], SWIR]')
  const [spec] = metadataOfConfig(changed).model_input_data_spec
  expect(spec!.bands.map(({ band_name }) => band_name)).toEqual([
    ...['0', '1', '2', '3', '4', '5'],
    'SWIR',
  ])
})

test('a file of three dates has the bands three times', () => {
  const changed = text
    .replace('expand_temporal_dimension: false', 'expand_temporal_dimension: true')
    .replace('backbone_num_frames: 1', 'backbone_num_frames: 3')
  const [spec] = metadataOfConfig(changed).model_input_data_spec
  expect(spec!.bands).toHaveLength(39)
  expect(spec!.bands[13 + 3]).toMatchObject({ index: 16, band_name: 'RED_2' })
  expect(spec!.bands.filter((band) => 'RGB_band' in band)).toHaveLength(3)
})

test('a modality is an entry of the spec', () => {
  const changed = text
    .replace(/dataset_bands:\n(    - \w+\n)+/, 'dataset_bands: {S2L2A: [B02, B03], S1: [VV]}\n')
    .replace('    drop_last: true', '    modalities: [S2L2A, S1]')
  expect(
    metadataOfConfig(changed).model_input_data_spec.map((spec) => [
      (spec as { modality_tag?: string }).modality_tag,
      spec.bands.length,
    ]),
  ).toEqual([
    ['S2L2A', 2],
    ['S1', 1],
  ])
})

test.each(['{', 'a: 1', 'x'.repeat(2_000_000), `a: &a [1]\n${'- *a\n'.repeat(9)}`])(
  'a text that is no config ends by name: %.20s',
  (given) => expect(codeOf(given)).toBe('model.bad_config'),
)
