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

/** The request's spatial_domain, or undefined where nothing is named yet. */
export const domainOf = (place: Place): Record<string, unknown> | undefined => {
  const { kind } = place
  if (kind === 'urls') {
    const urls = place.urls.map((url) => url.trim()).filter(Boolean)
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
  onPlace: (place: Place) => void
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
      onShapes={(bbox, drawn) => onPlace({ ...place, bbox, drawn })}
    />
  )
}

const NAMES = ['West', 'South', 'East', 'North'] as const

/** The first box in numbers: for the keyboard, and for exact edges. */
const BoxFields = ({ place, onPlace }: { place: Place; onPlace: (place: Place) => void }) => {
  const [texts, setTexts] = useState<readonly string[]>()
  const box = place.bbox[0]
  const shown = texts ??
    box?.map((degrees) => String(Number(degrees.toFixed(5)))) ?? ['', '', '', '']
  const change = (n: number, text: string) => {
    const next = shown.map((old, m) => (m === n ? text : old))
    setTexts(next)
    const [west, south, east, north] = next.map(Number) as [number, number, number, number]
    if (next.every((one) => one.trim() !== '') && west < east && south < north)
      onPlace({ ...place, bbox: [[west, south, east, north], ...place.bbox.slice(1)] })
  }
  return (
    <div class="row four">
      {NAMES.map((name, n) => (
        <Field key={name} label={name}>
          {(ids) => (
            <input
              {...ids}
              inputMode="decimal"
              value={shown[n]}
              onInput={(event) => change(n, event.currentTarget.value)}
              onBlur={() => setTexts(undefined)}
            />
          )}
        </Field>
      ))}
    </div>
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
