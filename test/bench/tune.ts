import { dag, type Directory, type File } from '@dagger.io/dagger'
import { compose } from '../../pipelines/compose.ts'
import { summarize } from '../../pipelines/manifest.ts'
import { modelOfConfig } from '../../pipelines/model.ts'
import { planInference } from '../../pipelines/plan.ts'
import { inferenceRequest } from '../../pipelines/request.ts'
import { root } from '../support/engine.ts'
import { CONFIG, terratorch, withModel } from '../support/terratorch.ts'

/** `count` scenes of one file, told apart by their names. */
const folderOf = (scene: File, count: number): Directory =>
  Array.from({ length: count }).reduce<Directory>(
    (made, _, n) => made.withFile(`scene_${n}_S2.tif`, scene),
    dag.directory(),
  )

/** Processor seconds of `terratorch predict`, all of its processes, over a folder of scenes. */
const byTerratorch = async (scenes: Directory, nonce: number): Promise<number> => {
  const command = [
    ...['terratorch', 'predict', '-c', '/config.yaml', '--ckpt_path', '/tiny.ckpt'],
    ...['--trainer.precision', '32-true', '--trainer.accelerator', 'cpu'],
    ...['--trainer.logger', 'false', '--predict_output_dir', '/predicted'],
    ...['--data.init_args.predict_data_root', '/scenes'],
  ]
  const script = `
import os, resource, subprocess
os.makedirs('/predicted')
done = subprocess.run(${JSON.stringify(command)}, cwd='/tmp', capture_output=True, text=True)
made = len(os.listdir('/predicted'))
assert done.returncode == 0 and made == len(os.listdir('/scenes')), done.stderr[-2000:]
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime)
`
  const said = await terratorch()
    .withNewFile('/config.yaml', CONFIG)
    .withMountedFile('/tiny.ckpt', dag.host().file(`${root}/models/tiny-water/tiny_water.ckpt`))
    .withMountedDirectory('/scenes', scenes)
    .withEnvVariable('NONCE', String(nonce))
    .withExec(['python3', '-c', script])
    .stdout()
  return Number(said)
}

interface Cost {
  readonly processor: number
  readonly peak_mb: number
  readonly load: number
  readonly wall: number
}

/** Details of each scene's model step by config and checkpoint alone. */
const byGeodag = async (scenes: Directory, count: number, nonce: number): Promise<Cost[]> => {
  const files = Array.from({ length: count }, (_, n) => `scene_${n}_S2.tif`)
  const known = modelOfConfig(CONFIG)
  // No effect but on the cache's key: classes stay where they are.
  const model = { ...known, inference: { ...known.inference!, threshold: nonce } }
  const plan = planInference(
    inferenceRequest.parse({}),
    { ...model, pipeline_steps: model.pipeline_steps.slice(0, 2) },
    { files },
  )
  const env = { dag, assets: withModel(), runKey: plan.inference_id, secrets: {} }
  const { manifest } = await compose(env, plan, scenes)
  if (manifest.status !== 'COMPLETED') throw new Error(summarize(manifest))
  return manifest.tasks.map(({ steps }) => {
    const { seconds, peak_mb } = steps[1]!.details as unknown as {
      readonly seconds: Omit<Cost, 'peak_mb'>
      readonly peak_mb: number
    }
    return { ...seconds, peak_mb }
  })
}

const total = (costs: readonly Cost[], key: keyof Cost): string =>
  costs.reduce((sum, cost) => sum + cost[key], 0).toFixed(1)

/** A tune over 1 and 8 scenes and a large one, beside TerraTorch: processor seconds, peak memory. */
export const compareWithTerratorch = async (
  sceneOf: (side: number) => File,
  nonce: number,
): Promise<void> => {
  for (const [count, side] of [
    [1, 512],
    [8, 512],
    [1, 4096],
  ] as const) {
    const scenes = folderOf(sceneOf(side), count)
    const ours = await byGeodag(scenes, count, nonce)
    const theirs = await byTerratorch(scenes, nonce)
    console.log(
      `tune, ${count} x ${side} px: model step ${total(ours, 'processor')} s of processor ` +
        `(loading the session ${total(ours, 'load')} s), terratorch predict ${theirs.toFixed(1)} s; ` +
        `peak ${Math.max(...ours.map(({ peak_mb }) => peak_mb))} MB`,
    )
  }
}
