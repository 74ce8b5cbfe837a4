import { dag } from '@dagger.io/dagger'
import { root, run, scene, session } from '../support/engine.ts'

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
  const steps = manifest.tasks[0]!.steps
  const own = steps.reduce((sum, step) => sum + (step.cached ? 0 : step.seconds), 0)
  const ran = steps.filter((step) => !step.cached).length
  console.log(
    `${name.padEnd(8)}${manifest.status.padEnd(12)}wall ${wall.toFixed(2)} s  programs ${own.toFixed(2)} s  ` +
      `difference a step ${((wall - own) / steps.length).toFixed(3)} s  steps run ${ran} of ${steps.length}`,
  )
}

// Any day of 1970 to 2069 that this machine has most likely not used yet.
const day = nonce % 36_000
await session(async () => {
  await measure('cold', day)
  await measure('warm', day + 1)
  await measure('warm', day + 2)
  await measure('cached', day + 2)
})
