import { isSpanContextValid, trace } from '@opentelemetry/api'
import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino'
import { prettyFactory } from 'pino-pretty'

export interface LogSettings {
  readonly LOG_LEVEL: string
  readonly LOG_FORMAT?: 'json' | 'pretty' | undefined
}

const SECRET = ['authorization', 'password', 'token', 'secret', 'cookie', 'x-api-key', 'api_key']

/** Text without what opens doors: queries of URLs (signatures), their users, Bearer tokens, keys. */
export const scrubbed = (text: string): string =>
  text
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s?"'\\<>]+)\?[^\s"'\\<>]*/gi, '$1?…')
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@"']+@/gi, '$1…@')
    .replace(/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, '$1 …')
    .replace(/\bpak-[\w-]+/g, 'pak-…')

/** The ids of the span that is open: a line is found from its trace, and the trace from a line. */
const traceIds = (): object => {
  const span = trace.getActiveSpan()?.spanContext()
  return span && isSpanContextValid(span) ? { trace_id: span.traceId, span_id: span.spanId } : {}
}

export const makeLog = (
  { LOG_LEVEL, LOG_FORMAT }: LogSettings,
  out: NodeJS.WriteStream | DestinationStream,
): Logger => {
  const format = LOG_FORMAT ?? ('isTTY' in out && out.isTTY ? 'pretty' : 'json')
  const readable = prettyFactory({
    ...{ singleLine: true, ignore: 'service,pid', translateTime: 'SYS:HH:MM:ss' },
    colorize: 'isTTY' in out && !!out.isTTY,
  })
  const shape = format === 'json' ? (line: string) => line : readable
  const target = { write: (line: string) => void out.write(scrubbed(shape(line))) }
  return pino(
    {
      level: LOG_LEVEL,
      base: { service: 'geodag', pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      ...(format === 'json' ? { formatters: { level: (level: string) => ({ level }) } } : {}),
      redact: { paths: SECRET.flatMap((key) => [`["${key}"]`, `*["${key}"]`]), censor: '…' },
      mixin: traceIds,
    },
    target,
  )
}

/** The one log of the process. Before the settings are read it speaks on stderr. */
export let log: Logger = makeLog({ LOG_LEVEL: 'info' }, process.stderr)

/** `out`: stderr where stdout is an answer that a script reads. */
export const setUpLog = (settings: LogSettings, out: NodeJS.WriteStream = process.stdout): void => {
  log = makeLog(settings, out)
}
