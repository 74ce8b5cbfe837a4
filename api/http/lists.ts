import { z } from 'zod'
import { MOST_PROBLEMS } from './errors.ts'

/**
 * A list that is refused for its length before its entries are looked at, and whose check ends after
 * 20 wrong entries: of 600,000 nobody reads the rest.
 */
export const listOf = <T extends z.ZodType>(item: T, most: number, cure = 'send less') => {
  const { $schema: _, ...items } = z.toJSONSchema(item, { io: 'input', unrepresentable: 'any' })
  return z
    .array(z.unknown())
    .meta({ items, maxItems: most })
    .transform((entries, context): z.output<T>[] => {
      if (entries.length > most) {
        const message = `${entries.length} entries, where at most ${most} are taken: ${cure}`
        context.addIssue({ code: 'custom', message })
        return z.NEVER
      }
      const read: z.output<T>[] = []
      let problems = 0
      for (const [n, entry] of entries.entries()) {
        const parsed = item.safeParse(entry)
        if (parsed.success) read.push(parsed.data)
        for (const issue of parsed.error?.issues ?? []) {
          if (++problems > MOST_PROBLEMS) break
          context.issues.push({ ...issue, path: [n, ...issue.path], input: entry } as never)
        }
        if (problems > MOST_PROBLEMS) break
      }
      return problems ? z.NEVER : read
    })
}
