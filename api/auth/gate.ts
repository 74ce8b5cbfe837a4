import type { Config } from '../config.ts'
import type { Db } from '../database/database.ts'
import type { Ctx, Identity } from '../http/context.ts'
import { HttpError } from '../http/errors.ts'
import { addressOf, authorizer } from './authorizer.ts'
import { exceeded, limitHeaders } from './rate-limit.ts'
import { SharedLimiter } from './shared-limit.ts'

/**
 * Says who asks, and counts the request against a limit: by who asks, verb and route pattern, so that
 * neither ids nor the mount nor HEAD make a second bucket. What has no valid key is counted by its
 * address over all routes together.
 *
 * @throws HttpError 401; 429 with Retry-After
 */
export const gate = (config: Config, db: Db) => {
  const authorize = authorizer(config, db)
  const limiter = new SharedLimiter(db, config.RATELIMIT_WINDOW)
  const count = async (c: Ctx, key: string, limit: number): Promise<void> => {
    if (!config.RATELIMIT_ENABLED) return
    const counted = await limiter.count(key, limit)
    for (const [name, value] of Object.entries(limitHeaders(counted))) c.header(name, value)
    if (!counted.over) return
    c.header('Retry-After', String(counted.reset))
    throw exceeded(limit, config.RATELIMIT_WINDOW)
  }
  const routeOf = (c: Ctx): string => {
    const verb = c.req.method === 'HEAD' ? 'GET' : c.req.method
    return `${verb} ${c.get('pattern') ?? ''}`
  }
  return async (c: Ctx, route: { readonly open?: boolean }): Promise<Identity> => {
    if (route.open) {
      await count(c, `ip ${addressOf(c)} ${routeOf(c)}`, config.RATELIMIT_LIMIT)
      return { email: '', by: 'off' }
    }
    let identity: Identity
    try {
      identity = await authorize(c)
    } catch (error) {
      if (error instanceof HttpError) await count(c, `login ${addressOf(c)}`, config.LOGIN_FAILURES)
      throw error
    }
    await count(c, `${identity.by} ${identity.email} ${routeOf(c)}`, config.RATELIMIT_LIMIT)
    return identity
  }
}
