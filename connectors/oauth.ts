import { createHash } from 'node:crypto'
import { ConnectorError } from './errors.ts'
import type { Send } from './http.ts'

interface Client {
  readonly id: string
  readonly secret: string
}
/** Before its end a token is asked for anew. */
const SPARE_SECONDS = 300
const kept = new Map<string, { token: string; until: number }>()

/**
 * A bearer token of a client, kept in memory until shortly before its end.
 *
 * @param lifeSeconds what must be left of it, at most an hour
 * @throws ConnectorError `connector.bad_credentials`, or `catalogue.unavailable`, which may pass
 * @see RFC 6749 4.4, client credentials
 */
export const accessToken = async (
  url: string,
  { id, secret }: Client,
  send: Send,
  signal?: AbortSignal,
  lifeSeconds = SPARE_SECONDS,
): Promise<string> => {
  const key = createHash('sha256')
    .update(JSON.stringify([url, id, secret]))
    .digest('hex')
  const found = kept.get(key)
  if (found && found.until > Date.now() + lifeSeconds * 1000) return found.token
  const form = { grant_type: 'client_credentials', client_id: id, client_secret: secret }
  const answer = await send({
    ...{ method: 'POST', url, body: new URLSearchParams(form).toString(), follow: false },
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    maxBytes: 64 * 1024,
    ...(signal ? { signal } : {}),
  })
  const { hostname } = new URL(url)
  if (answer.status >= 500 || answer.status === 429)
    throw new ConnectorError(
      'catalogue.unavailable',
      `${hostname} answers ${answer.status} to the request for a token: try again later`,
      { mayPass: true },
    )
  const { access_token, expires_in } = tokenOf(answer.text)
  if (answer.status !== 200 || typeof access_token !== 'string' || !access_token)
    throw new ConnectorError(
      'connector.bad_credentials',
      `${hostname} gives no token (${answer.status}): check the client's id and secret`,
    )
  const seconds = typeof expires_in === 'number' ? expires_in : SPARE_SECONDS
  kept.set(key, { token: access_token, until: Date.now() + seconds * 1000 })
  return access_token
}

const tokenOf = (text: string): { access_token?: unknown; expires_in?: unknown } => {
  try {
    return (JSON.parse(text) as object | null) ?? {}
  } catch {
    return {}
  }
}
