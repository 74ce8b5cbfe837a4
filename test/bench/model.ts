import { dag } from '@dagger.io/dagger'
import { summarize } from '../../pipelines/manifest.ts'
import { make, run, session } from '../support/engine.ts'
import { compareWithTerratorch } from './tune.ts'

// The model step alone: how much of its time is the model's, and what it holds as the scene grows.
const SIDES = [1024, 2048, 4096]
const BATCHES = [1, 8, 64]

const sceneOf = (side: number) =>
  make(`
import numpy, rasterio
from rasterio.transform import from_origin
random = numpy.random.default_rng(${side})
with rasterio.open('scene.tif', 'w', driver='GTiff', width=${side}, height=${side}, count=13, dtype='int16', nodata=0, tiled=True,
                   blockxsize=512, blockysize=512, compress='deflate', crs='EPSG:32630', transform=from_origin(500000, 4500000, 10, 10)) as scene:
    low = random.integers(200, 4000, (13, ${side} // 16, ${side} // 16))
    for band in range(13):
        scene.write((numpy.kron(low[band], numpy.ones((16, 16))) + random.integers(0, 200, (${side}, ${side}))).astype('int16'), band + 1)
`).file('scene.tif')

interface Details {
  readonly seconds: Readonly<
    Record<'load' | 'read' | 'kernel' | 'write' | 'wait' | 'wall' | 'processor', number>
  >
  readonly kernel_share: number
  readonly peak_mb: number
  readonly threads: number
}

/** Details of the model step over a scene of this side; `nonce` makes the work new. */
const measure = async (side: number, batch: number, nonce: number): Promise<Details> => {
  const inputs = dag.directory().withFile('scene.tif', sceneOf(side))
  const { manifest } = await run('tiny-water', inputs, ['scene.tif'], {}, {}, {}, (model) => ({
    ...model,
    pipeline_steps: model.pipeline_steps.slice(0, 2),
    // No effect but on the cache's key: classes stay where they are.
    inference: { ...model.inference!, batch, threshold: nonce },
  }))
  if (manifest.status !== 'COMPLETED') throw new Error(summarize(manifest))
  return manifest.tasks[0]!.steps[1]!.details as unknown as Details
}

const line = (name: string, { seconds, kernel_share, peak_mb }: Details): string =>
  `${name.padEnd(18)}read ${seconds.read} s  kernel ${seconds.kernel} s  write ${seconds.write} s  ` +
  `kernel waited ${seconds.wait} s  wall ${seconds.wall} s  load ${seconds.load} s  processor ${seconds.processor} s  kernel share ${kernel_share}  peak ${peak_mb} MB`

await session(async () => {
  const nonce = Date.now()
  const first = await measure(SIDES[0]!, 16, nonce)
  console.log(line(`${SIDES[0]} px, batch 16`, first))
  for (const side of SIDES.slice(1)) {
    const more = await measure(side, 16, nonce)
    const area = (side / SIDES[0]!) ** 2
    console.log(line(`${side} px, batch 16`, more))
    console.log(`  ${area} x area: ${(more.peak_mb / first.peak_mb).toFixed(2)} x memory`)
  }
  for (const batch of BATCHES)
    console.log(line(`2048 px, batch ${batch}`, await measure(2048, batch, nonce + 1)))
  await compareWithTerratorch(sceneOf, nonce)
})
