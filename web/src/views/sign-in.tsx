import { useState } from 'preact/hooks'
import { ErrorNote, Field } from '../ui.tsx'

/** Asks for an API key; it stays in this tab. */
export const SignIn = ({
  error,
  lost,
  onKey,
}: {
  error: Error | undefined
  /** The key held until now; the view stays the one that is in the address. */
  lost: boolean | undefined
  onKey: (key: string) => Promise<void>
}) => {
  const [key, setKey] = useState('')
  const [busy, setBusy] = useState(false)
  const submit = (event: Event) => {
    event.preventDefault()
    setBusy(true)
    void onKey(key.trim()).finally(() => setBusy(false))
  }
  return (
    <main class="sign-in">
      <form onSubmit={submit}>
        <h1>geodag</h1>
        <p>
          {lost
            ? 'Your key no longer holds: it was switched off, deleted, or has ended. With another one you go on where you are.'
            : 'Run a model over a place and a time; see the result on the map.'}
        </p>
        <Field
          label="API key"
          hint="Kept for this tab only. Make one with: npm run create-api-key -- --email you@example.org"
        >
          {(ids) => (
            <input
              {...ids}
              type="password"
              autoComplete="current-password"
              spellcheck={false}
              required
              value={key}
              onInput={(event) => setKey(event.currentTarget.value)}
            />
          )}
        </Field>
        <ErrorNote error={error} />
        <button class="primary" disabled={busy}>
          Sign in
        </button>
        <p class="faint">
          <a href="./docs">API reference</a>
        </p>
      </form>
    </main>
  )
}
