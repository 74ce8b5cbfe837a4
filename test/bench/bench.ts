import { dag } from '@dagger.io/dagger'
import { summarize } from '../../pipelines/manifest.ts'
import { assets, root, run, scene, session } from '../support/engine.ts'

const processor = {
  script: `import argparse, shutil
if __name__ == "__main__":
    p = argparse.ArgumentParser(); p.add_argument("--input"); p.add_argument("--output"); p.add_argument("--run")
    a = p.parse_args(); shutil.copy(a.input, a.output)
`,
  file_name: 'copy.py',
}
const demo = `${root}/out/demo/scene.tif`
const nonce = Date.now()

/** One five-step task; returns its wall time, its programs' own time, and the steps that ran. */
const measure = async (name: string, key: number) => {
  const inputs = dag.directory().withFile('scene.tif', scene(demo))
  const started = performance.now()
  // A date of its own makes every step's input new; the same date again is answered from the cache.
  const { manifest } = await run(
    'tiny-water',
    inputs,
    ['scene.tif'],
    {
      processor: { ...processor, processor_parameters: { run: String(key) } },
    },
    { temporal_domain: [new Date(key * 864e5).toISOString().slice(0, 10)] },
  )
  const wall = (performance.now() - started) / 1000
  if (manifest.status !== 'COMPLETED') throw new Error(summarize(manifest))
  const steps = manifest.tasks[0]!.steps
  const own = steps.reduce((sum, step) => sum + (step.cached ? 0 : step.seconds), 0)
  const ran = steps.filter((step) => !step.cached).length
  const difference = steps.map(
    (step) =>
      `${step.process_id} ${(step.wall_seconds - (step.cached ? 0 : step.seconds)).toFixed(3)}`,
  )
  console.log(
    `${name.padEnd(8)}wall ${wall.toFixed(2)} s  programs ${own.toFixed(2)} s  ` +
      `difference a step ${((wall - own) / steps.length).toFixed(3)} s  steps run ${ran} of ${steps.length}\n${' '.repeat(8)}${difference.join('  ')}`,
  )
}

/** The floor: an exec that does nothing, over the same image and mounts, its output read. */
const emptyExec = async (n: number): Promise<number> => {
  const started = performance.now()
  await assets()
    .directory('containers/raster')
    .dockerBuild()
    .withMountedDirectory('/program', assets().directory('steps/url-connector/program'))
    .withMountedDirectory('/in', dag.directory().withNewFile('n', `${nonce}-${n}`))
    .withExec(['sh', '-c', 'mkdir /out; echo {} > /out/result.json'])
    .file('/out/result.json')
    .contents()
  return (performance.now() - started) / 1000
}

// Any day of 1970 to 2069 that this machine has most likely not used yet.
const day = nonce % 36_000
await session(async () => {
  await measure('cold', day)
  await measure('warm', day + 1)
  await measure('warm', day + 2)
  await measure('cached', day + 2)
  const floor = []
  for (let n = 0; n < 6; n++) floor.push(await emptyExec(n))
  const median = floor.slice(1).sort((a, b) => a - b)[2]!
  console.log(`floor   an exec that does nothing: ${median.toFixed(3)} s (median of 5)`)
})
