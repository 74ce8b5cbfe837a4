import type { InputSpec } from '../../steps/plan-context.ts'

/** A spec of bands by their names, in this order. */
export const specOf = (modality_tag: string | null, ...names: string[]): InputSpec => ({
  ...(modality_tag === null ? {} : { modality_tag }),
  bands: names.map((band_name, index) => ({
    ...{ index, band_name, RGB_band: null, scaling_factor: 1 },
  })),
})
export const S2 = specOf('S2L2A', 'blue', 'green', 'red', 'nir', 'swir16', 'swir22')
/** A class band in a raster of its own. */
export const SCL = specOf(null, 'SCL')
