import type { RawItem } from './metadata.ts'
import type { Radiometry } from './row.ts'

/** What is done to a DN so that it means the same for every item of a collection. */
export interface Harmonised {
  readonly scale: number
  readonly offset: number
  readonly warnings: readonly string[]
}
interface Stated {
  readonly scale: number | null
  readonly offset: number | null
}

/** Added to every DN of Sentinel-2 from baseline 04.00 on. @see ESA, 25 January 2022 */
const SHIFT = -1000
const FIRST_SHIFTED = '04.00'
/** From here on every product carries the offset; reprocessed older ones do too. */
const ALWAYS_SHIFTED = Date.UTC(2022, 0, 25)
/** Until here Earth Search wrote files of both kinds. */
const EARTH_SEARCH_SETTLED = Date.UTC(2022, 2, 1)

const as = (offset: number, ...warnings: string[]): Harmonised => ({ scale: 1, offset, warnings })
const states = ({ offset }: Stated): boolean => offset !== null && Math.abs(offset + 0.1) < 1e-6

const rawSentinel2 = (stated: Stated, baseline: string | null, time: number): Harmonised => {
  if (states(stated)) return as(SHIFT)
  if (baseline !== null) return as(baseline >= FIRST_SHIFTED ? SHIFT : 0)
  if (time >= ALWAYS_SHIFTED) return as(SHIFT)
  return as(0, 'no processing baseline: its DN are taken as they are, without an offset of 1000')
}

const shiftedSentinel2 = (item: RawItem, baseline: string | null, time: number): Harmonised => {
  const flag = item.properties['earthsearch:boa_offset_applied']
  const shifted = baseline !== null && baseline >= FIRST_SHIFTED
  if (!shifted || flag !== false) return as(0)
  return time < EARTH_SEARCH_SETTLED
    ? as(
        SHIFT,
        'before March 2022 files were written with and without the offset: 1000 is taken off',
      )
    : as(
        0,
        'says that the offset was not applied, which its files contradict: DN are taken as they are',
      )
}

/**
 * How the DN of one item become the values that its collection is documented to hold: for Sentinel-2
 * the range of before 2022, reflectance * 10000 without an offset, whatever archive it comes from.
 * The sensing date proves nothing, since older scenes are reprocessed: the baseline does.
 *
 * @param stated scale and offset of the item's own metadata
 * @param baseline processing baseline such as 05.11
 * @param time sensing time, ms since 1970
 */
export const harmonised = (
  kind: Radiometry,
  item: RawItem,
  stated: Stated,
  baseline: string | null,
  time: number,
): Harmonised => {
  switch (kind) {
    case 'as_is':
    case 'harmonised':
      return as(0)
    case 'metadata':
      return { scale: stated.scale ?? 1, offset: stated.offset ?? 0, warnings: [] }
    case 'sentinel2_shifted':
      return shiftedSentinel2(item, baseline, time)
    case 'sentinel2_c1':
      return rawSentinel2(stated, baseline ?? '05.00', time)
    case 'sentinel2_raw':
      return rawSentinel2(stated, baseline, time)
  }
}
