import { useState } from 'preact/hooks'
import { useChunk } from '../hooks.ts'
import type { About } from '../types.ts'
import { Choice, ErrorNote, Field } from '../ui.tsx'
import { Scenes } from './scenes.tsx'

export type Kind = 'urls' | 'draw' | 'polygons' | 'tiles'
export interface Place {
  readonly kind: Kind
  readonly urls: readonly string[]
  /** Drawn: boxes in degrees, polygons as GeoJSON geometries */
  readonly bbox: readonly (readonly number[])[]
  readonly drawn: readonly object[]
  readonly geojson: string
  readonly tiles: string
}
export const NOWHERE: Place = {
  ...{ kind: 'urls', urls: [], bbox: [], drawn: [], geojson: '', tiles: '' },
}

const areal = (value: any): object[] => {
  if (value?.type === 'FeatureCollection') return (value.features as unknown[]).flatMap(areal)
  if (value?.type === 'Feature') return areal(value.geometry)
  if (value?.type === 'Polygon' || value?.type === 'MultiPolygon')
    return [{ type: value.type, coordinates: value.coordinates }]
  return []
}

/** The polygons in a text of GeoJSON (RFC 7946). @throws Error that says what is wrong */
export const polygonsOf = (text: string): object[] => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Error(`This is not JSON: ${(error as Error).message}`)
  }
  const found = areal(value)
  if (!found.length) throw new Error('No Polygon or MultiPolygon in it.')
  return found
}

export const urlsOf = ({ urls }: Place): string[] => urls.map((url) => url.trim()).filter(Boolean)

/** A scene by its URL; or, of a model of several inputs, URLs by modality, as JSON in one line. */
const sceneOf = (line: string): unknown => {
  try {
    return line.startsWith('{') ? JSON.parse(line) : line
  } catch {
    return line
  }
}

/** The request's spatial_domain, or undefined where nothing is named yet. */
export const domainOf = (place: Place): Record<string, unknown> | undefined => {
  const { kind } = place
  if (kind === 'urls') {
    const urls = urlsOf(place).map(sceneOf)
    return urls.length ? { urls } : undefined
  }
  if (kind === 'draw')
    return place.bbox.length || place.drawn.length
      ? { bbox: place.bbox, polygons: place.drawn }
      : undefined
  if (kind === 'tiles') {
    const tiles = place.tiles
      .toUpperCase()
      .split(/[\s,]+/)
      .filter(Boolean)
    return tiles.length ? { tiles } : undefined
  }
  try {
    return place.geojson.trim() ? { polygons: polygonsOf(place.geojson) } : undefined
  } catch {
    return undefined
  }
}

const geojsonError = (text: string): Error | undefined => {
  if (!text.trim()) return undefined
  try {
    polygonsOf(text)
    return undefined
  } catch (error) {
    return error as Error
  }
}

const DrawMap = ({
  place,
  onPlace,
  about,
}: {
  place: Place
  onPlace: (next: Partial<Place>) => void
  about: About
}) => {
  const { Chunk, error } = useChunk(() => import('../map/draw-map.tsx'))
  if (error) return <ErrorNote error={new Error('The map did not load; open the page again.')} />
  if (!Chunk) return <p class="map-empty small faint">Loading the map…</p>
  return (
    <Chunk
      basemap={about.basemap}
      bbox={place.bbox}
      polygons={place.drawn}
      onShapes={(bbox, drawn) => onPlace({ bbox, drawn })}
    />
  )
}

const NAMES = ['West', 'South', 'East', 'North'] as const

/** What is wrong with the edges of a box in degrees; empty while one is not typed yet. */
const edgesError = (texts: readonly string[]): string => {
  if (texts.some((one) => one.trim() === '')) return ''
  const [west, south, east, north] = texts.map(Number) as [number, number, number, number]
  if (texts.some((one) => Number.isNaN(Number(one)))) return 'Each edge is a number of degrees.'
  if (Math.abs(west) > 180 || Math.abs(east) > 180) return 'West and East are within 180 degrees.'
  if (south >= north || south < -90 || north > 90) return 'South must lie below North.'
  // Beyond it only a box across 180 degrees has its west at the greater number.
  return west === east || (west > east && west - east < 180) ? 'West must lie below East.' : ''
}

/** The first box in numbers: for the keyboard, and for exact edges. */
const BoxFields = ({
  place,
  onPlace,
}: {
  place: Place
  onPlace: (next: Partial<Place>) => void
}) => {
  const box = place.bbox[0]
  const given = JSON.stringify(box ?? null)
  // As they are typed, until another box is drawn.
  const [typed, setTyped] = useState<{ of: string; texts: readonly string[] }>()
  const own = box?.map((degrees) => String(Number(degrees.toFixed(6)))) ?? ['', '', '', '']
  const shown = typed?.of === given ? typed.texts : own
  const change = (n: number, text: string) => {
    const texts = shown.map((old, m) => (m === n ? text : old))
    if (texts.some((one) => one.trim() === '') || edgesError(texts))
      return setTyped({ of: given, texts })
    const next = texts.map(Number)
    setTyped({ of: JSON.stringify(next), texts })
    onPlace({ bbox: [next, ...place.bbox.slice(1)] })
  }
  const error = edgesError(shown)
  return (
    <>
      <div class="row four">
        {NAMES.map((name, n) => (
          <Field key={name} label={name}>
            {(ids) => (
              <input
                {...ids}
                inputMode="decimal"
                value={shown[n]}
                onInput={(event) => change(n, event.currentTarget.value)}
              />
            )}
          </Field>
        ))}
      </div>
      <ErrorNote error={error ? new Error(error) : undefined} />
    </>
  )
}

/** Where a run works: files, a shape on the map, GeoJSON, or MGRS tiles. */
export const PlaceField = ({
  place,
  onPlace,
  about,
}: {
  place: Place
  onPlace: (change: (place: Place) => Place) => void
  about: About
}) => {
  const set = (next: Partial<Place>) => onPlace((old) => ({ ...old, ...next }))
  return (
    <section aria-label="Place">
      <Choice
        label="Place"
        value={place.kind}
        onChoose={(kind) => set({ kind })}
        options={[
          ['urls', 'Scenes'],
          ['draw', 'Draw'],
          ['polygons', 'GeoJSON'],
          ['tiles', 'MGRS tiles'],
        ]}
      />
      {place.kind === 'urls' && (
        <Scenes
          urls={place.urls}
          onUrls={(change) => onPlace((old) => ({ ...old, urls: change(old.urls) }))}
        />
      )}
      {place.kind === 'draw' && (
        <>
          <DrawMap place={place} onPlace={set} about={about} />
          <BoxFields place={place} onPlace={set} />
        </>
      )}
      {place.kind === 'polygons' && (
        <>
          <Field label="GeoJSON" hint="Polygons in degrees, longitude first (RFC 7946).">
            {(ids) => (
              <textarea
                {...ids}
                rows={6}
                spellcheck={false}
                value={place.geojson}
                onInput={(event) => set({ geojson: event.currentTarget.value })}
              />
            )}
          </Field>
          <ErrorNote error={geojsonError(place.geojson)} />
        </>
      )}
      {place.kind === 'tiles' && (
        <Field label="MGRS tiles" hint="Such as 30SXH; several with spaces between.">
          {(ids) => (
            <input
              {...ids}
              spellcheck={false}
              value={place.tiles}
              onInput={(event) => set({ tiles: event.currentTarget.value })}
            />
          )}
        </Field>
      )}
    </section>
  )
}
