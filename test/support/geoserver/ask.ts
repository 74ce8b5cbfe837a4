import type { IncomingMessage } from 'node:http'
import type { Ask, Version } from './http.ts'

export const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** A `+` in a path is a space there, as in a query; `%2B` is a plus. */
const decoded = (name: string): string => decodeURIComponent(name.replaceAll('+', ' '))

/** The suffixes that are cut off; a store's upload keeps its format. */
const SUFFIX = /\.(json|xml|sld)$/

/** A request below `/geoserver/{rest|gwc/rest}/`, read as GeoServer does; undefined is a 404. */
export const askOf = (
  request: Pick<IncomingMessage, 'method' | 'url' | 'headers'>,
  version: Version,
  body: Buffer,
): { base: 'rest' | 'gwc'; ask: Ask } | undefined => {
  const url = new URL(request.url!, 'http://here')
  const [, base, below] = /^\/geoserver\/(rest|gwc\/rest)\/(.*)$/.exec(url.pathname) ?? []
  if (below === undefined) return undefined
  if (below.endsWith('/') && version === '3.0.0') return undefined
  const names = below.split('/').filter(Boolean)
  const suffix = SUFFIX.exec(names.at(-1) ?? '')?.[1] as Ask['suffix'] | undefined
  if (suffix) names.push(names.pop()!.replace(SUFFIX, ''))
  // `granules/{id}/.json`: the suffix alone.
  const path = names.filter(Boolean).map(decoded)
  const { 'content-type': type = '', accept = '' } = request.headers
  const ask = { method: request.method!, path, query: url.searchParams, type, accept, body }
  return { base: base === 'rest' ? 'rest' : 'gwc', ask: { ...ask, suffix: suffix ?? '' } }
}
