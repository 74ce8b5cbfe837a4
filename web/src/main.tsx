import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { ApiError, get, keyOfTab, mayPass, REFUSED } from './api.ts'
import { Frame } from './frame.tsx'
import './style.css'
import { ErrorNote } from './ui.tsx'
import type { About } from './types.ts'
import { SignIn } from './views/sign-in.tsx'

/** Who is signed in; or why nobody is: `lost` where somebody was until now. */
type Session = { about: About } | { error: Error; lost?: boolean } | undefined

/** Whether the server knows a person by a key alone: then none need be tried without. */
const needsKey = (): boolean => document.documentElement.dataset.signIn === 'key'

const App = () => {
  const [session, setSession] = useState<Session>()
  const open = async () =>
    needsKey() && keyOfTab.get() === ''
      ? setSession({ error: new ApiError(401, '') })
      : get<About>('v2/page').then(
          (about) => setSession({ about }),
          (error: Error) => setSession({ error }),
        )
  useEffect(() => {
    void open()
    // A key that was switched off or has ended, in the middle of the work.
    const refused = (event: Event) => {
      const { detail } = event as CustomEvent<ApiError>
      setSession((old) => (old && 'about' in old ? { error: detail, lost: true } : old))
    }
    addEventListener(REFUSED, refused)
    return () => removeEventListener(REFUSED, refused)
  }, [])
  const away = session && 'error' in session && mayPass(session.error)
  useEffect(() => {
    if (!away) return
    const again = () => void open()
    addEventListener('online', again)
    return () => removeEventListener('online', again)
  }, [away])
  if (!session) return <p class="loading">Loading…</p>
  if ('about' in session) {
    const signOut = () => {
      keyOfTab.set('')
      void open()
    }
    return <Frame about={session.about} onSignOut={signOut} />
  }
  const signIn = (key: string) => {
    keyOfTab.set(key)
    return open()
  }
  if (away && (keyOfTab.get() !== '' || !needsKey()))
    return (
      <main class="sign-in">
        <div>
          <h1>geodag</h1>
          <ErrorNote error={session.error} />
          <button onClick={() => void open()}>Try again</button>
        </div>
      </main>
    )
  const asked = (session.error as ApiError).status !== 401 || keyOfTab.get() !== ''
  return <SignIn error={asked ? session.error : undefined} lost={session.lost} onKey={signIn} />
}

render(<App />, document.getElementById('app')!)
