import { BlockList, isIP } from 'node:net'
import { getConnInfo } from '@hono/node-server/conninfo'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import { HttpError } from '../http/errors.ts'
import type { Ctx, Identity } from '../http/context.ts'
import { emailOfKey, ensureUser } from './keys.ts'

const NONE = 'Provide a valid Authorization or X-Api-Key header.'
const BAD_KEY = 'x-api-key provided is invalid or inactive.'
const BAD_TOKEN = 'Authorization token is invalid or expired.'

/** What the columns of owners take. */
const EMAIL = /^(?=.{3,150}$)[^\s@\0]+@[^\s@\0]+$/

const proxiesOf = (entries: string[]): BlockList => {
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (!isIP(address)) throw new Error(`TRUSTED_PROXIES: ${entry} is not an address or CIDR`)
    if (prefix) list.addSubnet(address, Number(prefix), family)
    else list.addAddress(address, family)
  }
  return list
}

/** The peer's address, IPv4-mapped forms unwrapped; empty where there is no socket. */
export const addressOf = (c: Ctx): string => {
  try {
    return (getConnInfo(c).remote.address ?? '').replace(/^::ffff:/, '')
  } catch {
    return ''
  }
}

/** Says who asks: forwarded e-mail of a trusted proxy, verified JWT, or API key. @see docs/wire.md#conventions */
export const authorizer = (config: Config, db: Db): ((c: Ctx) => Promise<Identity>) => {
  const proxies = proxiesOf(config.TRUSTED_PROXIES)
  const jwks = config.JWKS_URL ? createRemoteJWKSet(new URL(config.JWKS_URL)) : undefined
  const known = new Set<string>()
  const seen = async (email: string): Promise<void> => {
    if (known.has(email)) return
    await ensureUser(db, email)
    known.add(email)
  }
  const byToken = async (token: string): Promise<string> => {
    try {
      const { payload } = await jwtVerify(token, jwks!, {
        ...(config.JWT_ISSUER ? { issuer: config.JWT_ISSUER } : {}),
        ...(config.JWT_AUDIENCE ? { audience: config.JWT_AUDIENCE } : {}),
        algorithms: ['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'],
        requiredClaims: ['exp'],
      })
      if (typeof payload.email !== 'string' || !EMAIL.test(payload.email))
        throw new Error('no email')
      return payload.email
    } catch {
      throw new HttpError(401, BAD_TOKEN)
    }
  }
  const byKey = async (key: string, why: string): Promise<Identity> => {
    const email = await emailOfKey(db, key)
    if (!email) throw new HttpError(401, why)
    return { email, by: 'key' }
  }
  return async (c) => {
    if (!config.AUTH_ENABLED) return { email: config.DEFAULT_SYSTEM_USER, by: 'off' }
    const forwarded = c.req.header('x-forwarded-email')
    const address = addressOf(c)
    if (
      forwarded &&
      isIP(address) &&
      proxies.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')
    ) {
      if (!EMAIL.test(forwarded)) throw new HttpError(401, BAD_TOKEN)
      await seen(forwarded)
      return { email: forwarded, by: 'proxy' }
    }
    const authorization = c.req.header('authorization')
    if (authorization !== undefined) {
      const token = /^Bearer\s+(\S+)$/i.exec(authorization)?.[1] ?? ''
      if (token.startsWith('pak-')) return byKey(token, BAD_TOKEN)
      if (!jwks || !token) throw new HttpError(401, BAD_TOKEN)
      const email = await byToken(token)
      await seen(email)
      return { email, by: 'jwt' }
    }
    const key = c.req.header('x-api-key')
    if (key === undefined) throw new HttpError(401, NONE)
    return byKey(key, BAD_KEY)
  }
}
