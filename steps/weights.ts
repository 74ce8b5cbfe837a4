import { z } from 'zod'

const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'the 64 hexadecimal digits that sha256sum prints of the file')

const file = z.strictObject({
  file: z.string().regex(/^(?!.*\.\.)[\w.-]+(\/[\w.-]+)*$/, 'a path below models/'),
})
const pinned = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).max(8000),
  sha256,
})

/** A file of a model: beside the model's YAML, or at a URL, pinned by hash. */
export const modelFile = z.union([file, pinned], {
  error: 'give {file} below models/, or {url, sha256}',
})
export type ModelFile = z.output<typeof modelFile>

/** Where the weights are: beside the model's YAML, in a wheel of PyPI or at a URL, pinned by hash. */
export const weights = z.union(
  [
    file,
    z.strictObject({
      pypi: z.string().regex(/^[\w.-]+==[\w.]+$/, 'package==version'),
      path: z.string().describe('Path inside the wheel'),
      sha256,
    }),
    pinned,
  ],
  { error: 'give {file} below models/, {pypi, path, sha256}, or {url, sha256}' },
)
export type Weights = z.output<typeof weights>

/** The files that a model may be made of, and the name below models/ of one that is given beside it. */
export const MODEL_FILES = {
  weights: 'weights.onnx',
  config: 'config.yaml',
  checkpoint: 'checkpoint.ckpt',
} as const
export type ModelFileKey = keyof typeof MODEL_FILES

const files = z.looseObject({
  weights: weights.optional(),
  config: modelFile.optional(),
  checkpoint: modelFile.optional(),
})

/** Where a model's `inference` block says its files are, key by key; empty for a block without any. */
export const filesOf = (inference: unknown): [ModelFileKey, Weights][] => {
  const read = files.safeParse(inference).data
  return (Object.keys(MODEL_FILES) as ModelFileKey[]).flatMap((key) =>
    read?.[key] ? [[key, read[key]] as [ModelFileKey, Weights]] : [],
  )
}
