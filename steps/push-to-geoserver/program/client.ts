/** A failure with its `geoserver.*` code. */
export class PushError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

export interface Server {
  readonly url: string
  readonly username: string
  readonly password: string
  /** Milliseconds before the second try; doubled for each further one. */
  readonly pause?: number
}

const TRIES = 5
const REQUEST_TIMEOUT_MS = 120_000
const PASSING = new Set([502, 503, 504])

/** One call of GeoServer's REST. Answers any status in `expected`; tries again what may pass. */
export const call = async (
  server: Server,
  method: string,
  path: string,
  expected: readonly number[],
  body?: string | Uint8Array,
  type = 'application/xml',
): Promise<{ status: number; text: string }> => {
  const authorization = `Basic ${Buffer.from(`${server.username}:${server.password}`).toString('base64')}`
  let last = ''
  for (let attempt = 0; attempt < TRIES; attempt++) {
    if (attempt)
      await new Promise((next) => setTimeout(next, (server.pause ?? 4000) * 2 ** (attempt - 1)))
    let response: Response
    try {
      response = await fetch(`${server.url.replace(/\/$/, '')}/rest/${path}`, {
        method,
        headers: { authorization, ...(body === undefined ? {} : { 'content-type': type }) },
        ...(body === undefined ? {} : { body: body as BodyInit }),
        redirect: 'manual',
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      })
    } catch (error) {
      last = String((error as Error & { cause?: Error }).cause?.message ?? (error as Error).message)
      continue
    }
    const text = await response.text()
    if (expected.includes(response.status)) return { status: response.status, text }
    if (response.status === 401 || response.status === 403)
      throw new PushError(
        'geoserver.unauthorized',
        `GeoServer refuses the user name or password (${response.status})`,
      )
    last = `${response.status} ${text.slice(0, 500)}`
    if (!PASSING.has(response.status))
      throw new PushError('geoserver.refused', `${method} ${path} answered ${last}`)
  }
  throw new PushError(
    'geoserver.unreachable',
    `${method} ${path}: ${TRIES} tries, the last: ${last}`,
  )
}
