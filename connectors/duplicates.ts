import type { Candidate } from './freeze.ts'
import { sharedPart } from './geometry.ts'

const SAME_PASS_MS = 60_000
/** Of the smaller footprint: more is the same scene twice, less is two halves of one tile. */
const SAME_SCENE = 0.9

/** Highest baseline, then latest made, then id: the last is kept. */
const byWorth = (a: Candidate, b: Candidate): number => {
  const pairs = [
    [a.item.baseline ?? '', b.item.baseline ?? ''],
    [a.made, b.made],
    [a.item.id, b.item.id],
  ] as const
  for (const [x, y] of pairs) if (x !== y) return x < y ? -1 : 1
  return 0
}

const sameScene = (a: Candidate, b: Candidate): boolean =>
  a.item.tile !== null &&
  a.item.tile === b.item.tile &&
  a.item.platform === b.item.platform &&
  a.item.orbit === b.item.orbit &&
  Math.abs(a.time - b.time) <= SAME_PASS_MS &&
  sharedPart(a.item.footprint, b.item.footprint) > SAME_SCENE

/** Without reprocessings of a scene that is there anyway; the halves of a tile both stay. */
export const withoutDuplicates = (all: readonly Candidate[]): Candidate[] => {
  const kept = new Map<string | null, Candidate[]>()
  for (const one of all.toSorted(byWorth).reverse()) {
    const { tile } = one.item
    const others = kept.get(tile) ?? []
    if (!others.some((other) => sameScene(one, other))) kept.set(tile, [...others, one])
  }
  return [...kept.values()].flat()
}
