/** A failure with its `geoserver.*` code. */
export class PushError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}
