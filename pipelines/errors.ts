import type { z } from 'zod'
import { PlanError } from '../steps/errors.ts'

export { PlanError }

/** One error for a whole document: every wrong field on a line of its own. */
export const invalid = (code: string, name: string, why: string | z.ZodError): PlanError =>
  new PlanError(
    code,
    typeof why === 'string'
      ? `${name}: ${why}`
      : why.issues
          .map((issue) => `${name}: ${issue.path.join('.') || 'document'}: ${issue.message}`)
          .join('\n'),
  )
