import type { Client, Directory, File } from '@dagger.io/dagger'
import { compose } from './compose.ts'
import { parseModel } from './model.ts'
import { readModel } from './module.ts'
import { planInference } from './plan.ts'
import { inferenceRequest } from './request.ts'

/** Parses every YAML of `models/`. @throws `model.invalid` */
export const checkModels = async (dag: Client, assets: Directory): Promise<void> => {
  for (const name of await assets.directory('models').entries())
    if (name.endsWith('.yaml')) parseModel(await assets.file(`models/${name}`).contents(), name)
}

/** Runs tiny-water on a scene with a lake. @throws Error when a step fails or no water is found */
export const checkLake = async (dag: Client, assets: Directory, scene: File): Promise<void> => {
  const model = await readModel(dag, assets, { model: 'tiny-water' })
  const plan = planInference(inferenceRequest.parse({}), model, { files: ['scene.tif'] })
  const env = { dag, assets, runKey: plan.inference_id, secrets: {} }
  const inputs = dag.directory().withFile('scene.tif', scene)
  const { manifest } = await compose(env, plan, inputs)
  const steps = manifest.tasks[0]!.steps
  const failed = steps.find((step) => step.error)
  if (failed)
    throw new Error(`${failed.process_id}: ${failed.error!.code}: ${failed.error!.message}`)
  const classes = steps.find((step) => step.details.classes)?.details.classes as
    Record<string, number> | undefined
  const [land = 0, water = 0] = [classes?.['0'], classes?.['1']]
  // The lake and the river cover 22 % of the scene.
  if (water / (land + water) < 0.1)
    throw new Error(`only ${water} of ${land + water} pixels are water`)
}
