/** What is wrong with a script, before anything runs: `processor.*` and the cure. */
export class ScriptProblem extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}
