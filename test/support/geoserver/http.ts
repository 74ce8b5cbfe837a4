import { XMLBuilder, XMLParser } from 'fast-xml-parser'

/** What of GeoServer's behaviour changed over the years that tests are run against. */
export type Version = '2.19.7' | '2.28.1' | '3.0.0'

/** A request as a handler sees it; names in `path` are decoded, the suffix is cut off. */
export interface Ask {
  readonly method: string
  readonly path: readonly string[]
  readonly query: URLSearchParams
  readonly type: string
  readonly accept: string
  readonly suffix: 'json' | 'xml' | 'sld' | ''
  readonly body: Buffer
}
export interface Answer {
  readonly status: number
  readonly type?: string
  readonly text?: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
}

const TEXT = 'text/plain;charset=UTF-8'
export const text = (status: number, message = ''): Answer => ({
  status,
  text: message,
  ...(message ? { type: TEXT } : {}),
})
export const empty = (status: number): Answer => ({ status })
export const created = (name: string, location: string): Answer => ({
  ...text(201, name),
  headers: { location },
})

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  textNodeName: '$',
  parseTagValue: false,
  ignoreDeclaration: true,
  removeNSPrefix: true,
})
const builder = new XMLBuilder({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  textNodeName: '$',
})

/** The root element as an object; attributes under `@name`. @throws Error for what is no XML */
export const parseXml = (body: Buffer | string): Record<string, any> =>
  parser.parse(body.toString(), true)

/** A body in either form, as `{root: {...}}`. */
export const parseBody = (ask: Ask): Record<string, any> =>
  /json/.test(ask.type) ? JSON.parse(ask.body.toString()) : parseXml(ask.body)

/** Which of the two forms the answer has: the suffix wins, then Accept, then the controller. */
export const wants = (ask: Ask, otherwise: 'json' | 'xml'): 'json' | 'xml' => {
  if (ask.suffix === 'json' || ask.suffix === 'xml') return ask.suffix
  const [json, xml] = [/json/.test(ask.accept), /xml/.test(ask.accept)]
  return json && !xml ? 'json' : xml && !json ? 'xml' : otherwise
}

/** `{root: value}` in the form that the client wants. */
export const shown = (ask: Ask, value: object, otherwise: 'json' | 'xml' = 'json', status = 200) =>
  wants(ask, otherwise) === 'json'
    ? { status, type: 'application/json', text: JSON.stringify(value) }
    : { status, type: 'application/xml', text: builder.build(value) }

/** A list by GeoServer's own shape: an empty one is an empty text. */
export const list = (outer: string, inner: string, entries: readonly object[]) => ({
  [outer]: entries.length ? { [inner]: entries } : '',
})

export const isTrue = (ask: Ask, name: string): boolean => ask.query.get(name) === 'true'
