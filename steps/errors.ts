/** A wrong request or plan: a dotted code, and a message that names the field and the cure. */
export class PlanError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(`${code}: ${message}`)
    this.code = code
  }
}
