import type { ComponentType } from 'preact'
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { mayPass } from './api.ts'

/** A part of a path as it was before it was encoded; what nobody encoded stays. */
const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
const readHash = () => {
  const [path = '', search = ''] = location.hash.replace(/^#\/?/, '').split('?')
  return { parts: path.split('/').filter(Boolean).map(decoded), search }
}
export type Route = ReturnType<typeof readHash> & {
  /** Grows with each step through the history: a view made anew for each reads its address. */
  readonly visit: number
}

/** The view named behind `#`: no server knows it, so that the page works below any path. */
export const useRoute = (): Route => {
  const [route, setRoute] = useState<Route>(() => ({ ...readHash(), visit: 0 }))
  const first = useRef(location.hash)
  useEffect(() => {
    const changed = () => setRoute(({ visit }) => ({ ...readHash(), visit: visit + 1 }))
    addEventListener('hashchange', changed)
    // Effects run after the page is seen: a link followed before this one was heard by nobody.
    if (location.hash !== first.current) changed()
    return () => removeEventListener('hashchange', changed)
  }, [])
  return route
}
export const go = (path: string): void => {
  location.hash = `#/${path}`
}
/** How many of a list an address leaves out. */
export const skipOf = (search: string): number =>
  Number(/(?:^|&)skip=(\d{1,9})(?:&|$)/.exec(search)?.[1] ?? 0)
/** Writes what a list is asked for into the address: back and reload find the list as it was. */
export const useAddress = (path: string, search: string): void =>
  useEffect(() => {
    const hash = `#/${path}${search ? `?${search}` : ''}`
    // A link that was followed before this effect has run leads elsewhere already.
    const here = ['', '#', '#/', `#/${path}`].includes(location.hash.split('?')[0]!)
    const unsaid = !location.hash && !search
    if (here && !unsaid && location.hash !== hash) history.replaceState(history.state, '', hash)
  }, [path, search])

export interface Loaded<T> {
  readonly value: T | undefined
  readonly error: Error | undefined
  readonly busy: boolean
  readonly again: () => void
}

/** What `load` gives; again when `keys` change. The old value stays until the new one is there. */
export const useLoad = <T>(
  load: (signal: AbortSignal) => Promise<T>,
  keys: readonly unknown[],
): Loaded<T> => {
  const [state, setState] = useState<{ value?: T; error?: Error; asked?: string }>({})
  const [turn, setTurn] = useState(0)
  const asked = JSON.stringify([keys, turn])
  useEffect(() => {
    const abort = new AbortController()
    load(abort.signal).then(
      (value) => abort.signal.aborted || setState({ value, asked }),
      (error: Error) =>
        abort.signal.aborted || setState(({ value }) => ({ value: value!, error, asked })),
    )
    return () => abort.abort()
  }, [asked])
  const again = useCallback(() => setTurn((n) => n + 1), [])
  const away = state.error !== undefined && mayPass(state.error)
  useEffect(() => {
    if (!away) return
    addEventListener('online', again)
    return () => removeEventListener('online', again)
  }, [away])
  return {
    value: state.value,
    error: state.error,
    // From the drawing that asks on, not from the effect after it.
    busy: state.asked !== asked,
    again,
  }
}

/** The value after it has stayed the same for `ms`. */
export const useSettled = <T>(value: T, ms: number): T => {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms)
    return () => clearTimeout(timer)
  }, [value, ms])
  return settled
}

/** A component of a chunk of its own. */
export const useChunk = <P>(
  load: () => Promise<{ default: ComponentType<P> }>,
): { Chunk?: ComponentType<P>; error?: Error } => {
  const [found, setFound] = useState<{ Chunk?: ComponentType<P>; error?: Error }>({})
  const first = useRef(load)
  useEffect(() => {
    first.current().then(
      (module) => setFound({ Chunk: module.default }),
      (error: Error) => setFound({ error }),
    )
  }, [])
  return found
}
