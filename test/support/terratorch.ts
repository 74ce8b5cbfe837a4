import { readFileSync } from 'node:fs'
import { dag, type Container, type Directory, type File } from '@dagger.io/dagger'
import { exported } from '../../steps/terratorch-inference/step.ts'
import { MODEL_FILES } from '../../steps/weights.ts'
import { assets, root } from './engine.ts'

export const CONFIG = readFileSync(`${root}/models/tiny-water/config_deploy.yaml`, 'utf8')
export const CHECKPOINT = 'models/tiny-water/tiny_water.ckpt'

/** The image of containers/terratorch, without a user's model. */
export const terratorch = (): Container =>
  assets().directory('containers/terratorch').dockerBuild({ target: 'terratorch' })

const given = (config: string, checkpoint: File) =>
  assets()
    .withNewFile(`models/${MODEL_FILES.config}`, config)
    .withFile(`models/${MODEL_FILES.checkpoint}`, checkpoint)

/** The project's files with a config and a checkpoint as a command line gives them. */
export const withModel = (
  config = CONFIG,
  checkpoint: File = dag.host().file(`${root}/${CHECKPOINT}`),
): Directory => given(config, checkpoint)

export interface Answer {
  readonly code: string | null
  readonly message: string
  readonly log: string
  readonly out: Directory
}

/** The export of a config and a checkpoint, in the sandbox. */
export const exportOf = async (
  config: string,
  checkpoint?: File,
  project = withModel(config, checkpoint),
): Promise<Answer> => {
  const env = { dag, assets: project, runKey: 'x', secrets: {} }
  const out = await exported(env, {
    config: { file: MODEL_FILES.config },
    checkpoint: { file: MODEL_FILES.checkpoint },
    allow_private_hosts: false,
  })
  const { code, message } = JSON.parse(await out.file('answer.json').contents())
  return { code, message, log: await out.file('log.txt').contents(), out }
}

/** Runs `script` in the image of containers/terratorch; what it leaves in /made. */
export const madeByTorch = (script: string): Directory =>
  terratorch()
    .withMountedFile('/tiny.ckpt', dag.host().file(`${root}/${CHECKPOINT}`))
    .withExec(['mkdir', '-p', '/made'])
    .withWorkdir('/made')
    .withExec(['python3', '-c', script])
    .directory('/made')

/** A model, its scene and `terratorch predict` of it, made by models.py in the image itself. */
export const madeOf = (kind: string): Directory =>
  terratorch()
    .withMountedFile('/models.py', dag.host().file(`${root}/test/terratorch/models.py`))
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

export interface Compared {
  same_size: boolean
  differ: number
  most: number
  spread: number
  rarest: number
  values: number
}

/** What two rasters have in common, both of them read in the raster image. */
export const compare = async (ours: File, theirs: File): Promise<Compared> => {
  const said = await assets()
    .directory('containers/raster')
    .dockerBuild()
    .withMountedFile('/ours.tif', ours)
    .withMountedFile('/theirs.tif', theirs)
    .withExec(['python3', '-c', COMPARE])
    .stdout()
  return JSON.parse(said) as Compared
}
