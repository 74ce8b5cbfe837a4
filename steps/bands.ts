import { z } from 'zod'
import type { InputSpec, SpecBand } from './plan-context.ts'

/** How a class band numbers what it saw: which classes are clouds, and which number is no data. */
export const encodings = ['sentinel2_scl', 'hls_fmask', 'landsat_qa_pixel'] as const
export type Encoding = (typeof encodings)[number]

const CLASS_BANDS: Readonly<Record<string, Encoding>> = {
  scl: 'sentinel2_scl',
  fmask: 'hls_fmask',
  qa: 'hls_fmask',
  qa_pixel: 'landsat_qa_pixel',
}

const encodingOf = ({ band_name }: SpecBand): Encoding | undefined =>
  CLASS_BANDS[band_name.toLowerCase()]

/** Whether a name is that of a class band. */
export const isClassBand = (name: string): boolean => name.toLowerCase() in CLASS_BANDS

/** The class band of a spec: SCL of Sentinel-2, Fmask of HLS, QA_PIXEL of Landsat. */
export const classBandOf = (
  spec: InputSpec,
): { index: number; band_name: string; encoding: Encoding } | null => {
  const band = spec.bands.find(encodingOf)
  return band ? { index: band.index, band_name: band.band_name, encoding: encodingOf(band)! } : null
}

const named = z.looseObject({
  bands: z.array(z.string()).optional(),
  mean: z.array(z.number()).optional(),
})

/**
 * The bands that the model reads: a class band is for masks only.
 *
 * It goes to the model where the model names it itself, by `inference.bands` or by as many means as
 * the spec has bands, or where the spec has no other.
 */
export const modelBands = (spec: InputSpec, inference: unknown): readonly SpecBand[] => {
  const { bands: own, mean } = named.safeParse(inference).data ?? {}
  const wanted = new Set(own?.map((name) => name.toLowerCase()))
  if (mean?.length === spec.bands.length) return spec.bands
  const read = spec.bands.filter(
    (band) => !encodingOf(band) || wanted.has(band.band_name.toLowerCase()),
  )
  return read.length ? read : spec.bands
}
