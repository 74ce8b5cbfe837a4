/** A typed client of the API: JSON, uploads that tell their progress, event streams with a header. */

/** Where the page was opened: `/`, `/studio-gateway/`, or what a proxy puts before them. */
const BASE = new URL('./', location.href.split('#')[0])
const KEPT = 'geodag.api-key'

/** Of this tab alone: closing it forgets the key. */
export const keyOfTab = {
  get: (): string => sessionStorage.getItem(KEPT) ?? '',
  set: (key: string): void =>
    key ? sessionStorage.setItem(KEPT, key) : sessionStorage.removeItem(KEPT),
}

interface Problem {
  readonly msg?: string
  readonly message?: string
  readonly loc?: readonly unknown[]
}
const problemText = (problem: unknown): string => {
  if (typeof problem === 'string') return problem
  const { msg, message, loc } = (problem ?? {}) as Problem
  const place = loc?.filter((part) => part !== 'body').join('.')
  return `${place ? `${place}: ` : ''}${msg ?? message ?? JSON.stringify(problem)}`
}

/** An answer that is no success, in words. */
export class ApiError extends Error {
  readonly status: number
  constructor(status: number, detail: unknown) {
    super(Array.isArray(detail) ? detail.map(problemText).join('; ') : problemText(detail))
    this.status = status
  }
}

/** Whether the same call may pass later: no answer, too many requests, a server that restarts. */
export const mayPass = (error: unknown): boolean => {
  const { status } = error as Partial<ApiError>
  return status === undefined
    ? error instanceof TypeError
    : status === 0 || status === 429 || status >= 500
}

/** So many ms, or until the browser is online again. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((done) => {
    const over = () => {
      clearTimeout(timer)
      removeEventListener('online', over)
      signal.removeEventListener('abort', over)
      done()
    }
    const timer = setTimeout(over, ms)
    addEventListener('online', over)
    signal.addEventListener('abort', over)
  })

/** Told on the window where the server no longer knows who asks. */
export const REFUSED = 'geodag:refused'

const headers = (more: Record<string, string> = {}): Record<string, string> => {
  const key = keyOfTab.get()
  return { Accept: 'application/json', ...(key ? { 'X-API-Key': key } : {}), ...more }
}

const failure = async (answer: Response): Promise<ApiError> => {
  const text = await answer.text()
  try {
    return new ApiError(answer.status, (JSON.parse(text) as { detail?: unknown }).detail ?? text)
  } catch {
    return new ApiError(answer.status, text.slice(0, 300) || answer.statusText)
  }
}

const AWAY = 'The server does not answer; is it running, and are you online?'
/** What a view that keeps itself up to date says while it cannot. */
export const awayNow = (): ApiError =>
  new ApiError(0, `${AWAY} What you see is as of then; it is asked again by itself.`)

const send = async (path: string, init: RequestInit): Promise<Response> => {
  const key = keyOfTab.get()
  let answer: Response
  try {
    answer = await fetch(new URL(path, BASE), { ...init, credentials: 'same-origin' })
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error
    throw new ApiError(0, AWAY)
  }
  if (answer.ok) return answer
  const error = await failure(answer)
  // A late answer to the key before says nothing of the one that is signed in now.
  if (error.status === 401 && keyOfTab.get() === key)
    dispatchEvent(new CustomEvent(REFUSED, { detail: error }))
  throw error
}

/** A word that no other request has, also where a page of http has no crypto.randomUUID. */
export const newWord = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(36)).join('')

/** One request; `path` without its first slash. @throws ApiError */
export const call = async <T>(
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
  /** The same word again is the same request again, which is done once */
  once?: string,
): Promise<T> => {
  const form = body instanceof FormData
  const answer = await send(path, {
    method,
    headers: headers({
      ...(body === undefined || form ? {} : { 'Content-Type': 'application/json' }),
      ...(once ? { 'Idempotency-Key': once } : {}),
    }),
    ...(body === undefined ? {} : { body: form ? body : JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  })
  return (answer.status === 204 ? undefined : await answer.json()) as T
}
export const get = <T>(path: string, signal?: AbortSignal): Promise<T> =>
  call<T>('GET', path, undefined, signal)

export const query = (values: Record<string, string | number | undefined>): string => {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== '')
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
}

/** A browser does not tell a page why another host gave no answer: what can be wrong, and the cure. */
const unanswered = (url: string): ApiError => {
  const { origin } = new URL(url, BASE)
  const why =
    origin === BASE.origin
      ? 'broke off; are you online? Try it again.'
      : `gives this page no answer: it is away, or its operator has to allow ${BASE.origin} by a CORS rule.`
  return new ApiError(0, `The store of files at ${origin} ${why}`)
}

/** What a signed URL answers. @throws ApiError */
export const fetched = async (url: string, signal?: AbortSignal): Promise<Response> => {
  let answer: Response
  try {
    answer = await fetch(url, signal ? { signal } : {})
  } catch (error) {
    throw (error as Error).name === 'AbortError' ? error : unanswered(url)
  }
  if (!answer.ok) throw await failure(answer)
  return answer
}

/** The text of a signed URL, as it comes. */
export const textOf = async (url: string, onText: (text: string) => void, signal: AbortSignal) => {
  const answer = await fetched(url, signal)
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { done, value } = await reader.read().catch((error: Error) => {
      throw error.name === 'AbortError' ? error : unanswered(url)
    })
    if (done) return
    onText(value)
  }
}

/** Uploads a file to a signed URL; fetch tells no progress. @throws ApiError */
export const put = (
  url: string,
  file: Blob,
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<void> =>
  new Promise((done, failed) => {
    const request = new XMLHttpRequest()
    request.open('PUT', url)
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0)
    request.onload = () => {
      if (request.status < 300) return done()
      void failure(new Response(request.responseText, { status: request.status })).then(failed)
    }
    request.onerror = () => failed(unanswered(url))
    request.onabort = () => failed(new DOMException('Cancelled', 'AbortError'))
    signal.addEventListener('abort', () => request.abort())
    request.send(file)
  })

export interface StreamEvent {
  readonly detail_type: string
  readonly status: string
  readonly data: Readonly<Record<string, unknown>> | null
}

const readStream = async (
  body: ReadableStream<Uint8Array>,
  heard: () => void,
  onEvent: (event: StreamEvent, seq: string) => void,
) => {
  const reader = body
    .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
    .getReader()
  let held = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    heard()
    const blocks = (held + value).split('\n\n')
    held = blocks.pop()!
    for (const block of blocks) {
      const lines = block.split('\n')
      const data = lines.filter((line) => line.startsWith('data:')).map((line) => line.slice(5))
      const id =
        lines
          .find((line) => line.startsWith('id:'))
          ?.slice(3)
          .trim() ?? ''
      if (data.length) onEvent(JSON.parse(data.join('\n')) as StreamEvent, id)
    }
  }
}

/** The server says a word every 15 s; a connection that is silent for longer leads nowhere. */
const SILENCE_MS = 45_000

/**
 * The events of an inference after `last`, until the server ends the stream; EventSource cannot send
 * the key. Gives the number of the last event through `onEvent`.
 *
 * @throws ApiError, or TypeError where the connection breaks
 */
export const listen = async (
  id: string,
  last: string,
  onEvent: (event: StreamEvent, seq: string) => void,
  signal: AbortSignal,
): Promise<void> => {
  const silent = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const heard = () => {
    clearTimeout(timer)
    timer = setTimeout(
      () => silent.abort(new TypeError('The stream of events is silent.')),
      SILENCE_MS,
    )
  }
  // A connection from before an outage leads nowhere, and does not say so.
  const dropped = () => silent.abort(new TypeError('The network was away.'))
  addEventListener('online', dropped)
  try {
    heard()
    const answer = await send(`v2/async/notify/${encodeURIComponent(id)}`, {
      headers: headers({ Accept: 'text/event-stream', 'Last-Event-ID': last }),
      signal: AbortSignal.any([signal, silent.signal]),
    })
    await readStream(answer.body!, heard, onEvent)
  } finally {
    clearTimeout(timer)
    removeEventListener('online', dropped)
  }
}
