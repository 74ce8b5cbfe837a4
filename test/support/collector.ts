import { createServer } from 'node:http'
import { gunzipSync } from 'node:zlib'

export interface Span {
  readonly trace: string
  readonly id: string
  readonly parent: string
  readonly name: string
  readonly service: string
  readonly failed: boolean
}
type Fields = Map<number, Buffer[]>

/** The length-delimited fields of a protobuf message; of varints only status.code is asked for. */
const fieldsOf = (bytes: Buffer): Fields => {
  const found: Fields = new Map()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    const kind = tag & 7
    let value: Buffer
    if (kind === 0) value = Buffer.from([varint() & 255])
    else {
      const length = kind === 2 ? varint() : kind === 1 ? 8 : 4
      value = bytes.subarray(at, at + length)
      at += length
    }
    found.set(tag >>> 3, [...(found.get(tag >>> 3) ?? []), value])
  }
  return found
}
const all = (fields: Fields, number: number): Fields[] => (fields.get(number) ?? []).map(fieldsOf)
const hex = (fields: Fields, number: number): string =>
  fields.get(number)?.[0]?.toString('hex') ?? ''
const text = (fields: Fields, number: number): string => fields.get(number)?.[0]?.toString() ?? ''

/** opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest. */
const spansOf = (body: Buffer): Span[] =>
  all(fieldsOf(body), 1).flatMap((resource) => {
    const attributes = all(resource, 1).flatMap((one) => all(one, 1))
    const named = attributes.find((one) => text(one, 1) === 'service.name')
    const service = named ? text(all(named, 2)[0]!, 1) : ''
    return all(resource, 2)
      .flatMap((scope) => all(scope, 2))
      .map((span) => ({
        ...{ trace: hex(span, 1), id: hex(span, 2), parent: hex(span, 4), name: text(span, 5) },
        ...{ service, failed: all(span, 15)[0]?.get(3)?.[0]?.[0] === 2 },
      }))
  })

/** A collector of OTLP over HTTP that keeps the spans it is sent. */
export const startCollector = async () => {
  const spans: Span[] = []
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    const body = Buffer.concat(pieces)
    const whole = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
    if (request.url?.endsWith('/v1/traces')) spans.push(...spansOf(whole))
    response.writeHead(200, { 'Content-Type': 'application/x-protobuf' }).end()
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  return {
    spans,
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
