import { expect, test } from 'vitest'
import type { PlanContext } from '../plan-context.ts'
import { contract } from './contract.ts'

const accepts = (value: unknown) => contract.parameters.safeParse(value).success

test('an unknown mask, a colour out of range and a fourth RGB band are refused', () => {
  expect(accepts({ rgb: [3, 2, 1], masks: { cloud_masking: true } })).toBe(true)
  expect(accepts({ rgb: [3, 2, 1], masks: { cloud_maskin: true } })).toBe(false)
  expect(accepts({ rgb: null, classes: { '1': { rgb: [0, 0, 256], opacity: 1 } } })).toBe(false)
  expect(accepts({ rgb: [3, 2, 1, 0] })).toBe(false)
})

test('a name of any length costs no class its colour', () => {
  const entry = (quantity: string, label: string) => ({
    ...{ color: '#0000ff', opacity: 1, quantity, label },
  })
  const segmentation = [entry('1', 'w'.repeat(300)), entry('2', 'Land')]
  const layers = [{ filepath_key: 'model_output_image', geoserver_style: { segmentation } }]
  const given = {
    ...{ task_id: 'i-task_0', inference_id: 'i', model: 'm', inference: null, layers, date: null },
    input_spec: [{ bands: [{ index: 0, band_name: 'B', RGB_band: null, scaling_factor: 1 }] }],
    source: { kind: 'scene', scenes: [{ modality: null, file: 'a.tif' }] },
    ...{ post_processing: {}, options: {} },
  } as unknown as PlanContext
  expect(contract.parameters.parse(contract.plan(given)).classes).toEqual({
    '1': { label: 'w'.repeat(200), rgb: [0, 0, 255], opacity: 1 },
    '2': { label: 'Land', rgb: [0, 0, 255], opacity: 1 },
  })
})

test('the picture of a continuous prediction has the ramp of its own layer, ascending', () => {
  const ramp = (...stops: (readonly [string, number])[]) => ({
    regression: stops.map(([color, quantity]) => ({
      color,
      quantity,
      label: `${quantity}`,
      opacity: 1,
    })),
  })
  const planned = (layers: object[]) =>
    contract.parameters.parse(
      contract.plan({
        ...{ layers, input_spec: [{ bands: [] }], post_processing: {}, options: {}, date: null },
        ...{ source: { kind: 'url' }, model: 'm' },
      } as unknown as PlanContext),
    ).ramp
  const chance = {
    filepath_key: 'model_output_probabilities',
    geoserver_style: ramp(['#000000', 0]),
  }
  const shown = ramp(['#0000ff', 100], ['#ff0000', 0])
  const own = { filepath_key: 'model_output_image', geoserver_style: shown }
  expect(planned([chance, own])).toEqual([
    { value: 0, rgb: [255, 0, 0], label: '0' },
    { value: 100, rgb: [0, 0, 255], label: '100' },
  ])
  expect(planned([chance])).toBeUndefined()
})
