import { dag } from '@dagger.io/dagger'
import { expect, test } from 'vitest'
import { compose } from '../../pipelines/compose.ts'
import { modelOfConfig } from '../../pipelines/model.ts'
import { planInference } from '../../pipelines/plan.ts'
import { inferenceRequest } from '../../pipelines/request.ts'
import { assets, root, session } from '../support/engine.ts'
import { terratorch, withModel } from '../support/terratorch.ts'

/** A model, its scene and `terratorch predict` of it, made by models.py in the image itself. */
const madeOf = (kind: string) =>
  terratorch()
    .withMountedFile('/models.py', dag.host().file('/tmp/hostile/models_large.py'))
    .withExec(['mkdir', '-p', '/made'])
    .withExec(['python3', '/models.py', '/made', kind])
    .directory(`/made/${kind}`)

/** Prints what two rasters have in common. */
const COMPARE = `
import json, numpy, rasterio
ours, theirs = (rasterio.open(path).read() for path in ('/ours.tif', '/theirs.tif'))
values, counts = numpy.unique(theirs, return_counts=True)
print(json.dumps({
    'same_size': ours.shape == theirs.shape,
    'differ': int((ours != theirs).sum()),
    'most': float(abs(ours.astype('f8') - theirs).max()),
    'spread': float(theirs.std()),
    'rarest': float(counts.min() / counts.sum()),
    'values': len(values),
}))
`

interface Compared {
  same_size: boolean
  differ: number
  most: number
  spread: number
  rarest: number
  values: number
}

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
  const said = await assets()
    .directory('containers/raster')
    .dockerBuild()
    .withMountedFile('/ours.tif', outputs.file(`${folder}/${step.artifacts.model_output_image}`))
    .withMountedFile('/theirs.tif', made.file('predicted.tif'))
    .withExec(['python3', '-c', COMPARE])
    .stdout()
  const log = await outputs.file(step.log!).contents()
  // Exported and proved, not run by TerraTorch itself.
  expect(log).toContain('differs from torch by at most')
  return { log, compared: JSON.parse(said) as Compared }
}


test('large', () => session(async () => {
  const { log, compared } = await runKind('large')
  console.log(log, compared)
  const made = madeOf('large')
  const { exportOf } = await import('../support/terratorch.ts')
  const { out } = await exportOf(await made.file('config.yaml').contents(), made.file('checkpoint.ckpt'))
  for (const n of await out.entries()) console.log(n, await out.file(n).size())
  console.log(await out.file('answer.json').contents(), await out.file('runtime.json').contents())
}))
