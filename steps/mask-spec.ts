import { z } from 'zod'
import { classBandOf, isClassBand } from './bands.ts'
import { PlanError } from './errors.ts'
import { isNamed } from './modality.ts'
import type { InputSpec, PlanRequest } from './plan-context.ts'

/** What the model reads, and the class band in a raster of its own that serves masks alone. */
export interface SplitSpecs {
  readonly input_spec: readonly InputSpec[]
  readonly mask_spec?: InputSpec
}

const block = z.looseObject({
  bands: z.array(z.string()).optional(),
  inputs: z.array(z.looseObject({ name: z.string() })).optional(),
})

type Items = readonly (string | Readonly<Record<string, string>>)[] | null | undefined

/** Names of rasters in a request that are class bands and that no spec is called by. */
const givenMasks = (specs: readonly InputSpec[], items: Items): InputSpec[] => {
  const keys = (items ?? []).flatMap((item) => (typeof item === 'string' ? [] : Object.keys(item)))
  return [...new Set(keys)]
    .filter((key) => isClassBand(key) && !specs.some((spec) => isNamed(spec, key)))
    .map((key) =>
      maskSpec({ bands: [{ index: 0, band_name: key, RGB_band: null, scaling_factor: 1 }] }),
    )
}

/** One without a name of its own is called as its band. */
const maskSpec = (spec: InputSpec): InputSpec => ({
  modality_tag: classBandOf(spec)!.band_name,
  ...spec,
})

/**
 * Tells a class band (SCL, Fmask, QA_PIXEL) in a modality of its own from what the model reads.
 *
 * It is one by a spec of its own whose bands are class bands, or by its name in an item of `urls`;
 * not where the model names it itself (`inference.bands`, `inference.inputs`) or reads nothing else,
 * and not where no model is run: a script reads what it likes.
 *
 * @throws PlanError `request.modalities` for two of them
 */
export const splitSpecs = (
  specs: readonly InputSpec[],
  { inference, server }: Pick<PlanRequest, 'inference' | 'server'>,
  items?: Items,
): SplitSpecs => {
  if (!inference && !server) return { input_spec: specs }
  const { bands = [], inputs = [] } = block.safeParse(inference ?? {}).data ?? {}
  const own = new Set(bands.map((name) => name.toLowerCase()))
  // A recorded spec may hold anything: what is wrong with it is said where it is read.
  const namesOf = (spec: InputSpec) => (spec.bands ?? []).map((band) => String(band?.band_name))
  const isRead = (spec: InputSpec): boolean =>
    namesOf(spec).length === 0 ||
    namesOf(spec).some((name) => !isClassBand(name) || own.has(name.toLowerCase())) ||
    inputs.some(({ name }) => isNamed(spec, name))
  const input_spec = specs.filter(isRead)
  if (!input_spec.length) return { input_spec: specs }
  const listed = specs.filter((spec) => !isRead(spec)).map(maskSpec)
  const masks = [...listed, ...givenMasks([...specs, ...listed], items)]
  const [mask_spec, another] = masks
  if (another)
    throw new PlanError(
      'request.modalities',
      `${masks.map((spec) => spec.modality_tag).join(' and ')} are both class bands for masks: give one of them`,
    )
  return mask_spec ? { input_spec, mask_spec } : { input_spec }
}
