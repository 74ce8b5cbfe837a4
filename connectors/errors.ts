/** Why a catalogue could not be searched or a source not be read: a dotted code, the cause and the cure. */
export class ConnectorError extends Error {
  readonly code: string
  /** The same call may work later: a rate limit, a gateway, a time-out. */
  readonly mayPass: boolean
  constructor(code: string, message: string, { mayPass = false, cause }: ErrorMore = {}) {
    super(`${code}: ${message}`, { cause })
    this.name = 'ConnectorError'
    this.code = code
    this.mayPass = mayPass
  }
}
interface ErrorMore {
  readonly mayPass?: boolean
  readonly cause?: unknown
}
