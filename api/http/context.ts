import type { Context } from 'hono'

/** Who asks: the e-mail, and how it was shown. */
export interface Identity {
  readonly email: string
  readonly by: 'off' | 'key' | 'jwt' | 'proxy'
}
export type Vars = { Variables: { identity: Identity; pattern: string; request: string } }
export type Ctx = Context<Vars>
