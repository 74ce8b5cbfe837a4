import { expect, test } from 'vitest'
import { parseModel } from './model.ts'
import { planInference } from './plan.ts'
import { inferenceRequest } from './request.ts'
import { readRunConfig } from './wire.ts'

const recorded = (step: string, more: object = {}) => ({
  ...{ model_name: 'm', model_internal_name: 'm-1', model_url: null, inference: null },
  pipeline_steps: ['url-connector', step].map((process_id, step_number) => ({
    ...{ process_id, step_number },
  })),
  ...{ model_input_data_spec: [{ bands: [{ index: 0, band_name: 'B02' }] }], geoserver_push: [] },
  spatial_domain: { urls: ['https://host.example.org/a.tif'] },
  ...more,
})
const steps = (step: string, more: object) => {
  const { model, request } = readRunConfig(recorded(step, more))
  return planInference(request, model).tasks[0]!.steps.map(({ process_id }) => process_id)
}
const model_url = 'https://runtime.example.org/pooling'
const inference = { weights: { file: 'tiny-water/tiny_water.onnx' }, tile: 64 }

test.each(['run-inference', 'onnx-inference', 'terratorch-inference'])(
  'a model listed with %s runs where its data say: at its server, or by its weights',
  (step) => {
    expect(steps(step, { model_url })).toEqual(['url-connector', 'run-inference'])
    const local = steps(step, { model_url, inference })
    expect(local[1]).toMatch(/^(onnx|terratorch)-inference$/)
    expect(() => steps(step, {})).toThrow(/model\.no_weights: .* and no model_url/)
  },
)

test('a model file may name a server; one that only publishes asks none', () => {
  const yaml = (step: string) => `
display_name: m
pipeline_steps: [{process_id: url-connector, step_number: 0}, {process_id: ${step}, step_number: 1}]
model_input_data_spec: [{bands: [{index: 0, band_name: B02}]}]
model_url: ${model_url}
`
  const plan = (step: string) =>
    planInference(inferenceRequest.parse({}), parseModel(yaml(step)), { files: ['a.tif'] })
  const [fetched, asked] = plan('run-inference').tasks[0]!.steps
  expect(asked!.parameters).toMatchObject({ url: model_url, model: 'm' })
  expect(fetched!.parameters).toMatchObject({ layer: false })
  expect(plan('push-to-geoserver').tasks[0]!.steps[0]!.parameters).toMatchObject({ layer: true })
})
