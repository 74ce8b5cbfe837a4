import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { ApiError, mayPass } from './api.ts'
import { numberText } from './format.ts'
import type { Loaded } from './hooks.ts'

/** A view's heading: gets the focus when the view is opened, for those who hear the page. */
export const Heading = ({ text, children }: { text: string; children?: ComponentChildren }) => {
  const place = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${text} · geodag`
    place.current?.focus({ preventScroll: true })
  }, [text])
  return (
    <div class="heading">
      <h1 tabIndex={-1} ref={place}>
        {text}
      </h1>
      <div class="actions">{children}</div>
    </div>
  )
}

const KINDS: Record<string, string> = {
  COMPLETED: 'good',
  FINISHED: 'good',
  RUNNING: 'busy',
  PUBLISHING_RESULTS: 'busy',
  FAILED: 'bad',
  PARTIALLY_COMPLETED: 'warn',
  COMPLETED_WITH_ERRORS: 'warn',
  STOPPED: 'off',
}
export const Status = ({ status }: { status: string }) => (
  <span class={`status ${KINDS[status] ?? 'wait'}`}>
    {status.charAt(0) + status.slice(1).toLowerCase().replaceAll('_', ' ')}
  </span>
)

export const ErrorNote = ({ error }: { error: Error | undefined }) =>
  error ? (
    <p class="note bad" role="alert">
      {error.message}
      {(error as ApiError).status ? (
        <span class="faint"> ({(error as ApiError).status})</span>
      ) : null}
    </p>
  ) : null

/** Of this length a message is no longer read at a glance: its box scrolls, by the keyboard too. */
const LONG = 800

/** Why a step or a run failed: its code, and its message with the lines that it has. */
export const Failure = ({ code, message }: { code: string; message: string }) => (
  <>
    <code>{code}</code>{' '}
    <span
      class="message"
      {...(message.length > LONG
        ? { tabIndex: 0, role: 'region', 'aria-label': `Message of ${code}` }
        : {})}
    >
      {message}
    </span>
  </>
)

/** A label with its control; the hint is read with it. */
export const Field = ({
  label,
  hint,
  children,
}: {
  label: string
  hint?: string | undefined
  children: (ids: { id: string; 'aria-describedby'?: string }) => ComponentChildren
}) => {
  const id = useId()
  return (
    <div class="field">
      <label htmlFor={id}>{label}</label>
      {children(hint ? { id, 'aria-describedby': `${id}-hint` } : { id })}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  )
}

/** A part of a long list that the server holds. */
export const Pager = ({
  skip,
  size,
  total,
  onSkip,
}: {
  skip: number
  size: number
  total: number
  onSkip: (skip: number) => void
}) =>
  total > size || skip > 0 ? (
    <nav class="pager" aria-label="Pages">
      <button disabled={skip === 0} onClick={() => onSkip(Math.max(0, skip - size))}>
        Previous
      </button>
      <span>
        {numberText(Math.min(skip + 1, total))}–{numberText(Math.min(skip + size, total))} of{' '}
        {numberText(total)}
      </span>
      <button disabled={skip + size >= total} onClick={() => onSkip(skip + size)}>
        Next
      </button>
    </nav>
  ) : null

/** Whether a record is not there, or not for who asks; an address may name it in any way. */
export const isMissing = (error: Error | undefined): boolean =>
  error instanceof ApiError && [404, 422].includes(error.status)

/** What is loaded, or why it is not. */
export const Await = <T,>({
  of: { value, error, busy, again },
  one,
  children,
}: {
  of: Loaded<T>
  /** Of a view of one record: what that is, while it has no name to be headed by */
  one?: string
  children: (value: T) => ComponentChildren
}) => (
  <>
    {one && value === undefined && <Heading text={one} />}
    <ErrorNote
      error={
        one && isMissing(error)
          ? new Error(`There is no such ${one.toLowerCase()}, or it is not shared with you.`)
          : error
      }
    />
    {error && mayPass(error) && (
      <p>
        <button onClick={again}>Try again</button>
      </p>
    )}
    {value !== undefined ? (
      // Of an older question until the answer to this one has come.
      <div aria-busy={busy}>{children(value)}</div>
    ) : busy ? (
      <p class="faint">Loading…</p>
    ) : null}
  </>
)

/** A button whose work may fail, or must not be done by accident. */
export const Act = ({
  label,
  sure,
  kind = '',
  onAct,
  disabled = false,
}: {
  label: string
  sure?: string
  kind?: string
  onAct: () => Promise<unknown>
  disabled?: boolean
}) => {
  const [busy, setBusy] = useState(false)
  const [asking, setAsking] = useState(false)
  const [error, setError] = useState<Error>()
  const kept = useRef(false)
  const keep = () => {
    kept.current = true
    setAsking(false)
  }
  /** Where the focus was before the question. */
  const back = (button: HTMLButtonElement | null) => {
    if (!button || !kept.current) return
    kept.current = false
    button.focus()
  }
  const act = () => {
    setBusy(true)
    setAsking(false)
    setError(undefined)
    onAct()
      .catch(setError)
      .finally(() => setBusy(false))
  }
  return (
    <span class="act">
      {asking ? (
        <span
          class="ask"
          role="group"
          aria-label={sure}
          onKeyDown={(event) => event.key === 'Escape' && keep()}
        >
          {sure}{' '}
          <button class="danger" ref={(button) => button?.focus()} onClick={act}>
            {label}
          </button>{' '}
          <button onClick={keep}>Keep</button>
        </span>
      ) : (
        <button
          ref={back}
          class={kind}
          disabled={disabled || busy}
          onClick={() => (sure ? setAsking(true) : act())}
        >
          {label}
        </button>
      )}
      <ErrorNote error={error} />
    </span>
  )
}

/** Tabs by radio buttons: the keyboard has them for nothing. */
export const Choice = <T extends string>({
  label,
  options,
  value,
  onChoose,
}: {
  label: string
  options: readonly (readonly [T, string])[]
  value: T
  onChoose: (value: T) => void
}) => {
  const name = useId()
  return (
    <fieldset class="choice">
      <legend>{label}</legend>
      {options.map(([option, text]) => (
        <label key={option}>
          <input
            type="radio"
            name={name}
            checked={option === value}
            onChange={() => onChoose(option)}
          />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  )
}
