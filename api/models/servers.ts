import { z } from 'zod'

const isOrigin = (text: string): boolean =>
  URL.canParse(text) && /^https?:/.test(text) && new URL(text).origin === text

const WANTED =
  'must be a JSON object of origin to token, such as {"http://vllm:8000": "token"}; "" where it takes none'

/** The operator's own model servers: origin to bearer token. Never in a message: tokens are secret. */
export const modelServers = z
  .string()
  .default('{}')
  .transform((text, context): Readonly<Record<string, string>> => {
    try {
      const read = z.record(z.string().refine(isOrigin), z.string()).parse(JSON.parse(text))
      return read
    } catch {
      context.addIssue({ code: 'custom', message: WANTED })
      return z.NEVER
    }
  })
