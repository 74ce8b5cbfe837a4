import { expect, test } from 'vitest'
import { classBandOf, modelBands } from './bands.ts'
import { contract as onnx } from './onnx-inference/contract.ts'
import type { InputSpec, PlanContext } from './plan-context.ts'
import { contract as postprocess } from './postprocess-generic/contract.ts'
import { contract as connector } from './url-connector/contract.ts'

const band = (index: number, band_name: string) => ({
  ...{ index, band_name, scaling_factor: 1 },
  RGB_band: null,
})
const spec = (...names: string[]): InputSpec => ({
  bands: names.map((name, index) => band(index, name)),
})
const context = (input: InputSpec, inference: unknown, post_processing = {}): PlanContext => ({
  ...{
    task_id: 'i-task_0',
    inference_id: 'i',
    model: 'm',
    inference,
    input_spec: [input],
    layers: [],
    date: null,
  },
  source: { kind: 'scene', scenes: [{ modality: null, file: 'a.tif' }] },
  ...{ post_processing, options: {} },
})
const block = {
  weights: { file: 'w.onnx' },
  ...{ tile: 64, mean: [1, 2], std: [1, 1] },
}

test.each(['SCL', 'scl', 'Fmask', 'QA', 'QA_PIXEL'])(
  'a class band %s is for masks: neither the model nor its statistics see it',
  (name) => {
    const given = context(spec('red', name, 'nir'), block)
    expect(connector.parameters.parse(connector.plan(given)).bands.map((b) => b.index)).toEqual([
      0, 2,
    ])
    expect(onnx.plan(given)).toMatchObject({ mean: [1, 2] })
    expect(postprocess.plan(given)).toMatchObject({ mask_band: { index: 1 }, bands: [0, 2] })
  },
)

test("a class band that the model's own bands name is read as any other", () => {
  const given = spec('red', 'SCL')
  const names = (inference: unknown) => modelBands(given, inference).map((b) => b.band_name)
  expect(names(null)).toEqual(['red'])
  expect(names({ bands: ['red', 'scl'] })).toEqual(['red', 'SCL'])
  expect(names({ mean: [1, 2] })).toEqual(['red', 'SCL'])
  expect(modelBands(spec('Fmask'), null)).toHaveLength(1)
  expect(classBandOf(spec('red', 'QA_PIXEL'))?.encoding).toBe('landsat_qa_pixel')
})

test('radiometry and offset of the spec reach the step that takes in the pixels', () => {
  const scaled = { ...spec('red'), radiometry: 'scaled', bands: [{ ...band(0, 'red'), offset: 2 }] }
  expect(connector.plan(context(scaled, null))).toMatchObject({
    ...{ radiometry: 'scaled', bands: [{ offset: 2 }] },
  })
})
