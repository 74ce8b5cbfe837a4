import type { ComponentType } from 'preact'
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'

const readHash = () => {
  const [path = '', search = ''] = location.hash.replace(/^#\/?/, '').split('?')
  return { parts: path.split('/').filter(Boolean).map(decodeURIComponent), search }
}
export type Route = ReturnType<typeof readHash>

/** The view named behind `#`: no server knows it, so that the page works below any path. */
export const useRoute = (): Route => {
  const [route, setRoute] = useState(readHash)
  useEffect(() => {
    const changed = () => setRoute(readHash())
    addEventListener('hashchange', changed)
    // Effects run after the page is seen: a link followed before this one was heard by nobody.
    changed()
    return () => removeEventListener('hashchange', changed)
  }, [])
  return route
}
export const go = (path: string): void => {
  location.hash = `#/${path}`
}

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
  return {
    value: state.value,
    error: state.error,
    // From the drawing that asks on, not from the effect after it.
    busy: state.asked !== asked,
    again: useCallback(() => setTurn((n) => n + 1), []),
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
