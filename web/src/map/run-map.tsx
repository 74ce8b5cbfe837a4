import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import 'ol/ol.css'
import { outputOf } from '../views/downloads.tsx'
import { count } from '../format.ts'
import { useLoad } from '../hooks.ts'
import type { About, Assets, Inference, Model, Task } from '../types.ts'
import { ErrorNote } from '../ui.tsx'
import { dayOf } from '../views/tasks.tsx'
import { Legend, type Layering } from './legend.tsx'
import { type Reading, SceneMap } from './scene-map.ts'
import { NO_STATISTICS, type Statistics, statisticsOf, together } from './statistics.ts'
import { type LayerKind, layerKinds, wmsKinds } from './styles.ts'

/** Tasks of one day whose files are opened at once. */
const MOST = 60
const NO_KINDS: readonly LayerKind[] = []
const NO_FILES: readonly Assets[] = []

interface Props {
  readonly run: Inference
  readonly tasks: readonly Task[]
  readonly model: Model | null
  readonly about: About
}

/** Files and statistics of some tasks; those that were read before are kept. */
const useFiles = (tasks: readonly Task[]) => {
  const kept = useRef(new Map<string, Promise<[Assets, Statistics]>>())
  return useLoad(async () => {
    // Not ended with the look that began it: the next one takes it over.
    const read = async (id: string): Promise<[Assets, Statistics]> => {
      const { assets, statistics } = await outputOf(id)
      return [assets, statisticsOf(statistics)]
    }
    const ends = await Promise.allSettled(
      tasks.map(({ task_id }) => {
        const held = kept.current.get(task_id) ?? read(task_id)
        kept.current.set(task_id, held)
        held.catch(() => kept.current.delete(task_id))
        return held
      }),
    )
    const found = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
    const why = ends.find((end) => end.status === 'rejected')?.reason as Error | undefined
    if (why && !found.length) throw why
    const missing = count(ends.length - found.length, 'task')
    return {
      files: found.map(([assets]) => assets),
      statistics: together(found.map(([, one]) => one)),
      lost: why && new Error(`Not on the map: the files of ${missing}. ${why.message}`),
    }
  }, [tasks.map(({ task_id }) => task_id).join()])
}

/** The map itself: made once, told of changes. */
const useMap = (
  about: About,
  kinds: readonly LayerKind[],
  files: readonly Assets[],
  day: string,
  layering: Layering,
  share: number,
) => {
  const place = useRef<HTMLDivElement>(null)
  const [scene] = useState(() => new SceneMap(about))
  const [reading, setReading] = useState<Reading>()
  const [error, setError] = useState<Error>()
  useEffect(() => {
    const { map } = scene
    const target = place.current!
    map.setTarget(target)
    let asked: number[] | undefined
    const tell = (pixel: number[] | undefined) => {
      asked = pixel
      setReading(pixel && scene.read(pixel))
    }
    const centre = () => map.getSize()?.map((length) => length / 2)
    map.on('pointermove', ({ pixel }) => tell(pixel))
    // By the keyboard the map is moved below its centre.
    map.on('moveend', () => document.activeElement === target && tell(centre()))
    map.on('loadstart', () => delete target.dataset.ready)
    map.on('rendercomplete', () => {
      Object.assign(target.dataset, scene.state, { ready: 'yes' })
      // The values under a pointer that rests: their tiles, or another day's, have come since.
      if (asked) tell(asked)
    })
    const repaint = () => scene.repaint()
    addEventListener('themechange', repaint)
    return () => {
      removeEventListener('themechange', repaint)
      map.setTarget()
      map.dispose()
    }
  }, [scene])
  useEffect(() => {
    let stale = false
    scene
      .show(kinds, files, day, () => stale)
      .then(
        () => {
          if (stale) return
          setError(undefined)
          scene.look(layering.order, layering.looks)
        },
        () =>
          stale ||
          setError(
            new Error(
              'A raster of this run cannot be read: its URL may have ended, open the page again.',
            ),
          ),
      )
    return () => void (stale = true)
  }, [scene, kinds, files])
  useEffect(() => scene.look(layering.order, layering.looks), [layering])
  useEffect(() => scene.swipeTo(share), [share])
  return { place, reading, error }
}

/** Looks and order of the layers, as the model names them until a person changes them. */
const useLayering = (kinds: readonly LayerKind[]) => {
  const [changed, setChanged] = useState<Partial<Layering>>({})
  const layering = useMemo<Layering>(() => {
    const keys = kinds.map(({ key }) => key)
    const order = changed.order?.filter((key) => keys.includes(key)) ?? []
    const looks = kinds.map(({ key, visible }) => [key, { visible, opacity: 1 }] as const)
    return {
      order: [...order, ...keys.filter((key) => !order.includes(key))],
      looks: { ...Object.fromEntries(looks), ...changed.looks },
    }
  }, [kinds, changed])
  return [layering, setChanged] as const
}

const Days = ({
  days,
  day,
  onDay,
}: {
  days: readonly string[]
  day: string
  onDay: (day: string) => void
}) =>
  days.length > 1 ? (
    <label class="slider">
      <span>Date</span>
      <input
        type="range"
        min={0}
        max={days.length - 1}
        value={days.indexOf(day)}
        aria-label="Date"
        aria-valuetext={day}
        onInput={(event) => onDay(days[Number(event.currentTarget.value)]!)}
      />
      <output>{day}</output>
    </label>
  ) : null

/** The layers of a run on the map, day by day. */
const RunMap = ({ run, tasks, model, about }: Props) => {
  const days = useMemo(() => [...new Set(tasks.map(dayOf))].sort(), [tasks])
  const [asked, setAsked] = useState<string>()
  const day = asked !== undefined && days.includes(asked) ? asked : days.at(-1)!
  const ofDay = useMemo(() => tasks.filter((task) => dayOf(task) === day), [tasks, day])
  const { value, error } = useFiles(ofDay.slice(0, MOST))
  const files = value?.files ?? NO_FILES
  const statistics = value?.statistics ?? NO_STATISTICS
  const kinds = useMemo(
    () =>
      files[0]
        ? [...layerKinds(model, files[0], statistics), ...(about.geoserver ? wmsKinds(run) : [])]
        : NO_KINDS,
    [files, statistics, model, run.geoserver_layers],
  )
  const [layering, setLayering] = useLayering(kinds)
  const [share, setShare] = useState(0)
  const { place, reading, error: mapError } = useMap(about, kinds, files, day, layering, share)
  return (
    <>
      <ErrorNote error={error ?? value?.lost ?? mapError} />
      <div class="map-frame">
        <div
          class="map"
          ref={place}
          tabIndex={0}
          role="application"
          aria-label="Map: arrow keys move it, plus and minus zoom; the values below are of its centre"
        />
        {share > 0 && <div class="divider" style={{ left: `${share * 100}%` }} />}
      </div>
      <div class="reading" aria-live="off">
        <span class="number">{reading?.place ?? 'Point at the map to read its values.'}</span>
        {reading?.values.map(({ title, text }, n) => (
          <span key={n}>
            <span class="faint">{title}</span> <b>{text}</b>
          </span>
        ))}
      </div>
      <div class="map-tools">
        <Days days={days} day={day} onDay={setAsked} />
        <label class="slider">
          <span>Swipe</span>
          <input
            type="range"
            min={0}
            max={100}
            value={Math.round(share * 100)}
            aria-label="Swipe between the scene and the layers over it"
            onInput={(event) => setShare(Number(event.currentTarget.value) / 100)}
          />
          <output>{Math.round(share * 100)} %</output>
        </label>
        {ofDay.length > MOST && (
          <span class="faint">
            The first {MOST} of {count(ofDay.length, 'task')} of this day.
          </span>
        )}
      </div>
      <Legend
        kinds={kinds}
        areas={statistics.areas}
        layering={layering}
        onChange={(next) => setLayering((old) => ({ ...old, ...next }))}
      />
    </>
  )
}
export default RunMap
