import {
  type Attributes,
  context,
  type Context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'

export interface TraceSettings {
  readonly OTEL_EXPORTER_OTLP_ENDPOINT?: string | undefined
  readonly OTEL_SERVICE_NAME: string
}

let provider: { shutdown(): Promise<void> } | undefined

/**
 * OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT names a collector; else nothing is loaded and
 * every span is an empty one. The exporter itself reads the other `OTEL_EXPORTER_OTLP_*`.
 */
export const setUpTracing = async (settings: TraceSettings): Promise<void> => {
  if (!settings.OTEL_EXPORTER_OTLP_ENDPOINT || provider) return
  const [{ BatchSpanProcessor, NodeTracerProvider }, { OTLPTraceExporter }, resources] =
    await Promise.all([
      import('@opentelemetry/sdk-trace-node'),
      import('@opentelemetry/exporter-trace-otlp-proto'),
      import('@opentelemetry/resources'),
    ])
  const name = { 'service.name': settings.OTEL_SERVICE_NAME }
  const made = new NodeTracerProvider({
    resource: resources.defaultResource().merge(resources.resourceFromAttributes(name)),
    spanProcessors: [
      new BatchSpanProcessor(new OTLPTraceExporter(), { scheduledDelayMillis: 1000 }),
    ],
  })
  made.register()
  provider = made
}

/** Whether spans go anywhere. */
export const traced = (): boolean => provider !== undefined

/** Sends what is left; a collector that is away holds nobody up. */
export const endTracing = async (): Promise<void> => {
  const late = new Promise((done) => setTimeout(done, 3000).unref())
  await Promise.race([provider?.shutdown().catch(() => undefined), late])
}

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** A W3C traceparent as it was given, or undefined where it is none. */
export const validTraceparent = (text: string | null | undefined): string | undefined =>
  text && TRACEPARENT.test(text) ? text : undefined

/** The open span for others to go on from; undefined where there is none. */
export const openTraceparent = (): string | undefined => {
  const carrier: { traceparent?: string } = {}
  propagation.inject(context.active(), carrier)
  return carrier.traceparent
}

export const contextOf = (traceparent: string | null | undefined): Context =>
  propagation.extract(ROOT_CONTEXT, traceparent ? { traceparent } : {})

const KINDS = {
  request: SpanKind.SERVER,
  inference: SpanKind.PRODUCER,
  task: SpanKind.CONSUMER,
  step: SpanKind.INTERNAL,
}

/** Runs `work` in a span; what it throws marks the span. */
export const inSpan = <T>(
  kind: keyof typeof KINDS,
  { name, attributes, parent }: { name?: string; attributes: Attributes; parent?: Context },
  work: (span: Span) => Promise<T>,
): Promise<T> => {
  const options = { kind: KINDS[kind], attributes }
  const tracer = trace.getTracer('geodag')
  return tracer.startActiveSpan(name ?? kind, options, parent ?? context.active(), async (span) => {
    try {
      return await work(span)
    } catch (error) {
      const { failure, constructor } = error as Error & { failure?: { code: string } }
      spanFailed(span, failure?.code ?? constructor.name)
      throw error
    } finally {
      span.end()
    }
  })
}

/** `code`: one of docs/errors.md. */
export const spanFailed = (span: Span | undefined, code: string): void => {
  span?.setStatus({ code: SpanStatusCode.ERROR, message: code })
  span?.setAttribute('error.type', code)
}

/** The span that is open here. */
export const openSpan = (): Span | undefined => trace.getActiveSpan()
