import { fetched } from '../api.ts'

export interface ClassArea {
  readonly value: number
  readonly label: string
  readonly pixels: number
  readonly area_km2: number | null
}

/** Classes of several tasks together; an area that one does not know is not known. */
export const summed = (lists: readonly (readonly ClassArea[])[]): ClassArea[] => {
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

/** Class statistics in the STAC Item of a task; none where it has no classes. */
export const statisticsOf = async (
  href: string | undefined,
  signal: AbortSignal,
): Promise<readonly ClassArea[]> => {
  if (!href) return []
  const answer = await fetched(href, signal)
  const item = (await answer.json()) as { properties?: Record<string, unknown> }
  const listed = item.properties?.['geodag:statistics']
  return Array.isArray(listed) ? (listed as ClassArea[]) : []
}
