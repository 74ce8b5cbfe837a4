import { z } from 'zod'

/** A wrong request or plan: a dotted code, and a message that names the field and the cure. */
export class PlanError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(`${code}: ${message}`)
    this.code = code
  }
}

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
