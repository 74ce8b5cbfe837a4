import { z } from 'zod'

const number = z.number()
/** How the extension scales the values of a band. */
const scaling = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('z-score'), mean: number, stddev: number }),
  z.looseObject({ type: z.literal('min-max'), minimum: number, maximum: number }),
  z.looseObject({ type: z.literal('offset'), value: number }),
  z.looseObject({ type: z.literal('scale'), value: number }),
  z.looseObject({ type: z.null() }),
])

export const valueScaling = z
  .array(
    z.unknown().transform((given, context) => {
      const type = (given as { type?: unknown } | null)?.type
      const parsed = scaling.safeParse(
        type === undefined ? { ...(given as object), type: null } : given,
      )
      if (parsed.success) return parsed.data
      const issue = parsed.error.issues[0]!
      const message = ['clip', 'clip-min', 'clip-max', 'processing'].includes(String(type))
        ? `geodag scales by z-score, min-max, offset and scale, not by ${type}: put that into the graph`
        : issue.message
      context.addIssue({ code: 'custom', message, path: issue.path })
      return z.NEVER
    }),
  )
  .nullish()

/** What is taken from a value, and what it is divided by then. */
const linear = (one: z.output<typeof scaling>): [mean: number, std: number] => {
  if (one.type === 'z-score') return [one.mean, one.stddev]
  if (one.type === 'min-max') return [one.minimum, one.maximum - one.minimum]
  if (one.type === 'offset') return [one.value, 1]
  return one.type === 'scale' ? [0, one.value] : [0, 1]
}

/**
 * Mean and standard deviation of each band, which stand for the extension's linear scalings; one
 * entry counts for all bands. Undefined where nothing is scaled, null for another number of entries.
 *
 * @see STAC MLM 1.5.1, Value Scaling Object
 */
export const statisticsOf = (
  given: z.output<typeof valueScaling>,
  bands: number,
): { mean: number[]; std: number[] } | undefined | null => {
  if (!given?.length || given.every(({ type }) => type === null)) return undefined
  if (given.length !== 1 && given.length !== bands) return null
  const all = (given.length === 1 ? Array(bands).fill(given[0]!) : given).map(linear)
  return { mean: all.map(([mean]) => mean), std: all.map(([, std]) => std) }
}
