import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseModel } from './model.ts'
import { planInference, planRequestOf, stepOrder as orderOfModel } from './plan.ts'
import { inferenceRequest } from './request.ts'

const text = readFileSync(new URL('../models/tiny-water.yaml', import.meta.url), 'utf8')
const model = parseModel(text)
const request = (value: object = {}) => inferenceRequest.parse(value)
const stepOrder = (given: typeof model, withProcessor: boolean) =>
  orderOfModel(
    given,
    'scene',
    planRequestOf(request(), given, 'id', withProcessor ? { processor } : {}),
  )
const processor = { script: 'x', file_name: 'a.py', processor_parameters: {} }

test('every shipped model parses', () => {
  for (const name of ['tiny-water', 'ukis-csmask']) {
    const yaml = readFileSync(new URL(`../models/${name}.yaml`, import.meta.url), 'utf8')
    expect(parseModel(yaml).display_name).toBe(name)
  }
})

test('an unknown step in a model is refused by name, with the list of steps', () => {
  const bad = text.replace('process_id: onnx-inference', 'process_id: onnx-inferense')
  expect(() => parseModel(bad, 'm.yaml')).toThrow(
    /m\.yaml: pipeline_steps\.1\.process_id: unknown step "onnx-inferense": use one of url-connector/,
  )
})

test('a model that is no YAML is refused with its name and the line', () => {
  expect(() => parseModel('a: [1', 'm.yaml')).toThrow(/model\.invalid: m\.yaml: .*line 1/)
})

test('the processor goes before postprocess, else before the push, else last, all renumbered', () => {
  const order = [
    'url-connector',
    'onnx-inference',
    'generic-python-processor',
    'postprocess-generic',
    'push-to-geoserver',
  ]
  expect(stepOrder(model, true)).toEqual(order)
  const only = (names: string[]) => ({
    ...model,
    pipeline_steps: model.pipeline_steps.filter((step) => names.includes(step.process_id)),
  })
  expect(stepOrder(only(['url-connector', 'push-to-geoserver']), true)).toEqual([
    'url-connector',
    'generic-python-processor',
    'push-to-geoserver',
  ])
  expect(stepOrder(only(['url-connector']), true)).toEqual([
    'url-connector',
    'generic-python-processor',
  ])
  const plan = planInference(request(), model, { files: ['a.tif'], processor })
  expect(plan.tasks[0]!.steps.map((step) => step.step_number)).toEqual([0, 1, 2, 3, 4])
})

test('each URL is a task with its own date; extra dates are ignored', () => {
  const plan = planInference(
    request({
      spatial_domain: { urls: ['https://example.org/a.tif', 'https://example.org/b.tif'] },
      temporal_domain: ['2024-08-12', '2024-08-13', '2024-08-14'],
    }),
    model,
  )
  expect(plan.tasks.map((task) => [task.task_id.split('-task')[1], task.date])).toEqual([
    ['_0', '2024-08-12'],
    ['_1', '2024-08-13'],
  ])
})

test('the same request gets the same id, another parameter another', () => {
  const id = (parameters: Record<string, number>) =>
    planInference(request(), model, {
      files: ['a.tif'],
      processor: { ...processor, processor_parameters: parameters },
    }).inference_id
  expect(id({ a: 1 })).toBe(id({ a: 1 }))
  expect(id({ a: 1 })).not.toBe(id({ a: 2 }))
})

test('a request without a scene names what is missing', () => {
  expect(() => planInference(request(), model)).toThrow(/request\.no_scene: spatial_domain\.urls/)
})

test('masks take "True", true and null as old clients send them', () => {
  const plan = planInference(
    request({
      post_processing: {
        cloud_masking: 'True',
        snow_ice_masking: null,
        permanent_water_masking: 'False',
      },
    }),
    model,
    { files: ['a.tif'] },
  )
  const step = plan.tasks[0]!.steps.find((s) => s.process_id === 'postprocess-generic')!
  expect(step.parameters).toMatchObject({
    masks: { cloud_masking: true, snow_ice_masking: false, permanent_water_masking: false },
  })
})

test('a bbox that is not [west, south, east, north] in degrees is refused', () => {
  expect(inferenceRequest.safeParse({ spatial_domain: { bbox: [[1, 2, 3]] } }).success).toBe(false)
  expect(inferenceRequest.safeParse({ spatial_domain: { bbox: [[3, 2, 1, 4]] } }).success).toBe(
    false,
  )
  expect(inferenceRequest.safeParse({ spatial_domain: { bbox: [[1, 2, 3, 4]] } }).success).toBe(
    true,
  )
})

test('masks, regularisation and polygons reach the step that makes them; what they lie at is fetched', () => {
  const post_processing = {
    ocean_masking: 'True',
    mask_from_url: { url: 'https://example.com/m.geojson' },
    regularization: { technique: 'hybrid' },
  }
  const steps = planInference(request({ post_processing }), model, { files: ['a.tif'] }).tasks[0]!
    .steps
  expect(steps.map((step) => step.process_id).slice(0, 3)).toEqual([
    ...['url-connector', 'onnx-inference', 'mask-sources'],
  ])
  expect(steps[3]!.parameters).toMatchObject({
    masks: { ocean_masking: true, mask_from_url: { buffer_size_m: 100 } },
    regularization: { technique: 'hybrid', classes: [1] },
  })
  const off = { post_processing: { ocean_masking: 'False', mask_from_url: null } }
  expect(planInference(request(off), model, { files: ['a.tif'] }).tasks[0]!.steps).toHaveLength(4)
  const shared = { inference_folder_mask_location: 'masks/a.geojson' }
  const there = { post_processing: { mask_from_url: shared } }
  expect(() => planInference(request(there), model, { files: ['a.tif'] })).toThrow(
    /inference_folder_mask_location: .*file-share.* mask_from_url\.url/,
  )
  const wrong = { post_processing: { regularization: { technique: 'round' } } }
  expect(() => planInference(request(wrong), model, { files: ['a.tif'] })).toThrow(
    /request\.post_processing: post_processing\.regularization\.technique/,
  )
})

test('a step before what it needs is refused, with the order', () => {
  const turned = {
    ...model,
    pipeline_steps: model.pipeline_steps.map((step) => ({
      ...step,
      step_number: -step.step_number,
    })),
  }
  expect(() => planInference(request(), turned, { files: ['a.tif'] })).toThrow(
    /plan\.order: pipeline_steps: postprocess-generic needs original_input_image/,
  )
})

test('numbers as text are numbers, null is no number, an empty RGB_band is none', () => {
  const bands = [
    { index: '0', band_name: 'B02', RGB_band: '', scaling_factor: '1e-4' },
    { index: 1, band_name: 'B03', RGB_band: 'G', scaling_factor: null },
  ]
  const read = request({ model_input_data_spec: [{ bands }] }).model_input_data_spec![0]!.bands
  expect(read.map((band) => [band.index, band.RGB_band, band.scaling_factor])).toEqual([
    [0, null, 0.0001],
    [1, 'G', 1],
  ])
  for (const index of ['', 'x', null, -1, 1.5])
    expect(() =>
      request({ model_input_data_spec: [{ bands: [{ index, band_name: 'B' }] }] }),
    ).toThrow()
})
