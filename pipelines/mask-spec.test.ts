import { expect, test } from 'vitest'
import { S2, SCL } from '../test/support/input-specs.ts'
import { planInference } from './plan.ts'

const block = {
  ...{ weights: { file: 'w.onnx' }, tile: 64 },
  ...{ mean: [0, 0, 0, 0, 0, 0], std: [1, 1, 1, 1, 1, 1] },
}
const steps = ['url-connector', 'onnx-inference', 'postprocess-generic']
const model = {
  ...{ display_name: 'm', inference: block, postprocessing_options: { cloud_masking: true } },
  pipeline_steps: steps.map((process_id, step_number) => ({ process_id, step_number })),
  model_input_data_spec: [S2, SCL],
  geoserver_push: [],
} as unknown as Parameters<typeof planInference>[1]
const request = (url: unknown) =>
  ({ spatial_domain: { urls: [url] }, temporal_domain: [] }) as unknown as Parameters<
    typeof planInference
  >[0]

test('a plan delivers it beside the scene, masks by it, and runs no cloud model', () => {
  const urls = { S2L2A: 'https://h.org/s2.tif', SCL: 'https://h.org/scl.tif' }
  const [task] = planInference(request(urls), model).tasks
  expect(task!.steps.map(({ process_id }) => process_id)).toEqual(steps)
  const [connector, onnx, post] = task!.steps.map(({ parameters }) => parameters as any)
  expect(connector.modalities).toMatchObject([
    { name: 'S2L2A', url: urls.S2L2A, bands: { length: 6 } },
    { name: 'SCL', url: urls.SCL, bands: [{ band_name: 'SCL' }], mask: true },
  ])
  expect(connector.modalities[0]).not.toHaveProperty('mask')
  expect(onnx.mean).toHaveLength(6)
  expect(post.mask_band).toEqual({ index: 0, encoding: 'sentinel2_scl', modality: 'SCL' })
  expect(post.bands).toEqual([0, 1, 2, 3, 4, 5])
  expect(() => planInference(request(urls.S2L2A), model)).toThrow(/give {S2L2A: URL, SCL: URL}/)
})
