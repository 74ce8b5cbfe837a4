import type { Output } from '../types.ts'

export interface ClassArea {
  readonly value: number
  readonly label: string
  readonly pixels: number
  readonly area_km2: number | null
}

/** Classes of several tasks together; an area that one does not know is not known. */
const summed = (lists: readonly (readonly ClassArea[])[]): ClassArea[] => {
  const byValue = new Map<number, ClassArea>()
  for (const one of lists.flat()) {
    const held = byValue.get(one.value)
    const area =
      held && (held.area_km2 === null || one.area_km2 === null)
        ? null
        : (held?.area_km2 ?? 0) + (one.area_km2 ?? 0)
    byValue.set(one.value, {
      ...one,
      pixels: (held?.pixels ?? 0) + one.pixels,
      area_km2: one.area_km2 === null ? null : area,
    })
  }
  return [...byValue.values()].sort((a, b) => a.value - b.value)
}

/** How much of each class there is; of values that are no classes from where to where they go. */
export interface Statistics {
  readonly areas: readonly ClassArea[]
  readonly range: readonly [low: number, high: number] | undefined
}
export const NO_STATISTICS: Statistics = { areas: [], range: undefined }

/** What the API says of a task's prediction; nothing where no step made statistics. */
export const statisticsOf = (said: Output['statistics']): Statistics => {
  if (!said) return NO_STATISTICS
  if ('map' in said) return { areas: said, range: undefined }
  const { minimum, maximum } = said
  return {
    areas: [],
    range: minimum === undefined || maximum === undefined ? undefined : [minimum, maximum],
  }
}

/** Of several tasks together. */
export const together = (all: readonly Statistics[]): Statistics => {
  const ranges = all.flatMap(({ range }) => (range ? [range] : []))
  return {
    areas: summed(all.map(({ areas }) => areas)),
    range: ranges.length
      ? [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))]
      : undefined,
  }
}
