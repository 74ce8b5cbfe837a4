import { dag } from '@dagger.io/dagger'
import { expect, test } from 'vitest'
import { compose } from '../../pipelines/compose.ts'
import { modelOfConfig } from '../../pipelines/model.ts'
import { planInference } from '../../pipelines/plan.ts'
import { inferenceRequest } from '../../pipelines/request.ts'
import { session } from '../support/engine.ts'
import { compare, madeOf, withModel } from '../support/terratorch.ts'

/** Runs the scene of a kind by its config and checkpoint, as the command line does. */
const runKind = async (kind: string, item?: Record<string, string>) => {
  const made = madeOf(kind)
  const config = await made.file('config.yaml').contents()
  const request = inferenceRequest.parse(item ? { spatial_domain: { urls: [item] } } : {})
  const files = item ? [] : ['scene.tif']
  const plan = planInference(request, modelOfConfig(config), { files })
  const project = withModel(config, made.file('checkpoint.ckpt'))
  const env = { dag, assets: project, runKey: plan.inference_id, secrets: {} }
  const { outputs, manifest } = await compose(env, plan, made)
  const [{ folder, steps } = { folder: '', steps: [] }] = manifest.tasks
  expect(steps.map(({ error }) => error).filter(Boolean)).toEqual([])
  const step = steps.find((one) => one.artifacts.model_output_image)!
  const ours = outputs.file(`${folder}/${step.artifacts.model_output_image}`)
  const log = await outputs.file(step.log!).contents()
  // Exported and proved, not run by TerraTorch itself.
  expect(log).toContain('differs from torch by at most')
  return { log, compared: await compare(ours, made.file('predicted.tif')) }
}

const TWO = { S1GRD: 'S1GRD.tif', S2L2A: 'S2L2A.tif' }

test.each([
  ['modalities', 2, TWO],
  ['dates', 3, undefined],
])('a model of %s gives the mask of terratorch predict', (kind, classes, item) =>
  session(async () => {
    const { compared } = await runKind(kind, item)
    expect(compared).toMatchObject({ same_size: true, differ: 0, values: classes })
    expect(compared.rarest).toBeGreaterThan(0.005)
  }),
)

test('a regression gives the values of terratorch predict', () =>
  session(async () => {
    const { compared } = await runKind('regression')
    expect(compared.same_size).toBe(true)
    expect(compared.spread).toBeGreaterThan(0.01)
    expect(compared.most).toBeLessThan(1e-3 * compared.spread)
  }))

test('Swin is wrong in every batch but the traced one: the proof finds it, and batch 1 is right', () =>
  session(async () => {
    const { log, compared } = await runKind('flood')
    expect(log).toMatch(/legacy, batch n: differs from torch by/)
    expect(log).toMatch(/Exported by the \w+ exporter, batch 1:/)
    expect(compared).toMatchObject({ same_size: true, differ: 0, values: 2 })
    expect(compared.rarest).toBeGreaterThan(0.005)
  }))

test.each([
  ['multilabel', 2, 0],
  ['scalar', 2, 1e-3],
])('a model of task %s gives one answer an image, that of torch', (kind, values, most) =>
  session(async () => {
    const { compared } = await runKind(kind)
    expect(compared).toMatchObject({ same_size: true, values })
    expect(compared.most).toBeLessThanOrEqual(most)
  }),
)
