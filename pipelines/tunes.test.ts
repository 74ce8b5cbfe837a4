import { expect, test } from 'vitest'
import { inferenceRequest } from './request.ts'
import { modelOfConfig } from './model.ts'
import { PlanError } from './errors.ts'
import { planInference } from './plan.ts'

const CONFIG = `
data:
  class_path: terratorch.datamodules.GenericMultiModalDataModule
  init_args:
    modalities: [S2L2A, S1GRD]
    dataset_bands: {S2L2A: [B02, B03], S1GRD: [VV, VH]}
model:
  class_path: terratorch.tasks.SemanticSegmentationTask
  init_args: {model_args: {num_classes: 2}}
`
const planOf = (item: string | Record<string, string>) => {
  const request = inferenceRequest.parse({ spatial_domain: { urls: [item] } })
  return planInference(request, modelOfConfig(CONFIG), {})
}
const S2 = 'https://example.org/a.tif'
const S1 = 'https://example.org/b.tif'

test('without names the bands are counted by the means of each modality', () => {
  const named = 'dataset_bands: {S2L2A: [B02, B03], S1GRD: [VV, VH]}'
  const model = modelOfConfig(CONFIG.replace(named, 'means: {S2L2A: [1, 2, 3], S1GRD: [1]}'))
  expect(model.model_input_data_spec.map(({ bands }) => bands?.length)).toEqual([3, 1])
})

test('a tune of two modalities takes a URL for each by its name, in any order', () => {
  const [task] = planOf({ s1grd: S1, S2L2A: S2 }).tasks
  expect(task!.steps[0]!.parameters).toMatchObject({
    modalities: [
      { name: 'S2L2A', url: S2 },
      { name: 'S1GRD', url: S1 },
    ],
  })
})

test.each([
  ['one URL', S2],
  ['one modality', { S2L2A: S2 }],
  ['another modality', { S2L2A: S2, DEM: S1 }],
])('%s for such a tune is refused by name, with what to give', (_, item) => {
  let said: unknown
  try {
    planOf(item)
  } catch (error) {
    said = error
  }
  expect(said).toBeInstanceOf(PlanError)
  expect(said).toMatchObject({
    code: 'request.modalities',
    message: expect.stringContaining('give {S2L2A: URL, S1GRD: URL}'),
  })
})
