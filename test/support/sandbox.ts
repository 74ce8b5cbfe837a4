import { readFileSync } from 'node:fs'
import { dag } from '@dagger.io/dagger'
import type { Directory } from '@dagger.io/dagger'
import { stepResult, type StepResult } from '../../steps/contract.ts'
import { contracts } from '../../steps/contracts.ts'
import { registry } from '../../steps/registry.ts'
import { assets, make, root } from './engine.ts'

/** A prediction of 64 x 64 classes, EPSG:32630, that scripts are run over. */
const PREDICTION = `
import numpy, rasterio
from rasterio.transform import from_origin
with rasterio.open('a_pred.tif', 'w', driver='GTiff', count=1, height=64, width=64, dtype='int16', crs='EPSG:32630',
                   transform=from_origin(500000, 4500000, 10, 10), nodata=-1) as d:
    d.write(numpy.arange(4096, dtype='int16').reshape(1, 64, 64) % 3)
`

/** A script of this body, behind its guard. */
export const guard = (body: string): string =>
  `import os, sys, time\nif __name__ == "__main__":\n${body.replace(/^/gm, '    ')}\n`

/** Limits that a hostile script breaks soon; the time is for a slow machine, and for none that waits. */
export const small = {
  wall_seconds: 60,
  memory_mb: 300,
  log_mb: 2,
  output_mb: 50,
  file_mb: 20,
  processes: 24,
}

export interface Ran {
  readonly result: StepResult
  readonly out: Directory
  readonly log: string
}

/** Runs a script in the sandbox over the prediction. */
export const runScript = async (
  script: string,
  limits = {},
  processor_parameters = {},
  files: Directory = assets(),
): Promise<Ran> => {
  const step = contracts['generic-python-processor'].parameters
  const parameters = step.parse({ script, file_name: 'p.py', processor_parameters, limits })
  const env = { dag, assets: files, runKey: 'x', secrets: {} }
  const input = { files: make(PREDICTION), artifacts: { model_output_image: 'a_pred.tif' } }
  const out = await registry['generic-python-processor'].out(env, input, parameters)
  const result = stepResult.parse(JSON.parse(await out.file('result.json').contents()))
  return { result, out, log: await out.file('log.txt').contents() }
}

/** The project's files with a sandbox that sees no cgroup, as some engines have it. */
export const withoutCgroup = (): Directory => {
  const recipe = readFileSync(`${root}/containers/sandbox/Dockerfile`, 'utf8')
  const hidden = recipe.replace(/(--mount=type=tmpfs,target=)\S+/, '$& $1/sys/fs/cgroup')
  return assets().withNewFile('containers/sandbox/Dockerfile', hidden)
}
