import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { ApiError, get, keyOfTab } from './api.ts'
import { Frame } from './frame.tsx'
import './style.css'
import type { About } from './types.ts'
import { SignIn } from './views/sign-in.tsx'

type Session = { about: About } | { error: Error } | undefined

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
  useEffect(() => void open(), [])
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
  const asked = (session.error as ApiError).status !== 401 || keyOfTab.get() !== ''
  return <SignIn error={asked ? session.error : undefined} onKey={signIn} />
}

render(<App />, document.getElementById('app')!)
