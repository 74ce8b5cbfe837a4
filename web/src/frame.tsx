import { useEffect, useRef, useState } from 'preact/hooks'
import { useRoute } from './hooks.ts'
import { keptTheme, showTheme, type Theme } from './theme.ts'
import type { About } from './types.ts'
import { Groups } from './views/groups.tsx'
import { Keys } from './views/keys.tsx'
import { Models } from './views/models.tsx'
import { NewRun } from './views/new-run.tsx'
import { Processors } from './views/processors.tsx'
import { Run } from './views/run.tsx'
import { Runs } from './views/runs.tsx'

const PLACES = [
  ['runs', 'Runs'],
  ['new', 'New run'],
  ['models', 'Models'],
  ['processors', 'Processors'],
  ['groups', 'Groups'],
  ['keys', 'API keys'],
] as const

const View = ({ about }: { about: About }) => {
  const { parts, search, visit } = useRoute()
  const [view = 'runs', id] = parts
  if (view === 'runs' && id) return <Run key={id} id={id} about={about} />
  if (view === 'new') return <NewRun key={search} search={search} about={about} />
  if (view === 'models') return <Models key={visit} id={id} search={search} />
  if (view === 'processors') return <Processors key={visit} id={id} search={search} about={about} />
  if (view === 'groups') return <Groups about={about} id={id} />
  if (view === 'keys') return <Keys />
  return <Runs key={visit} search={search} />
}

/** What stands around every view. */
export const Frame = ({ about, onSignOut }: { about: About; onSignOut: () => void }) => {
  const { parts } = useRoute()
  const [theme, setTheme] = useState<Theme>(keptTheme)
  useEffect(() => showTheme(theme), [theme])
  const here = parts[0] ?? 'runs'
  const nav = useRef<HTMLElement>(null)
  // On a narrow screen the places scroll sideways.
  useEffect(
    () => nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest' }),
    [here],
  )
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => skipToMain(event)}>
        Skip to the content
      </a>
      <header class="bar">
        <a class="brand" href="#/runs">
          geodag
        </a>
        <nav aria-label="Main" ref={nav}>
          {PLACES.map(([path, text]) => (
            <a key={path} href={`#/${path}`} aria-current={here === path ? 'page' : undefined}>
              {text}
            </a>
          ))}
        </nav>
        <div class="who">
          <span class="user" title={about.user}>
            {about.by === 'off' ? 'no sign-in' : about.user}
          </span>
          <select
            aria-label="Colours"
            value={theme}
            onChange={(event) => setTheme(event.currentTarget.value as Theme)}
          >
            <option value="system">System</option>
            <option value="light">Light</option>
            <option value="dark">Dark</option>
          </select>
          {about.by === 'key' && <button onClick={onSignOut}>Sign out</button>}
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <View about={about} />
      </main>
    </>
  )
}

/** The hash names the view: the link moves the focus alone. */
const skipToMain = (event: Event): void => {
  event.preventDefault()
  document.getElementById('main')?.focus()
}
