import type { Scene, Source } from '../steps/plan-context.ts'
import { PlanError } from './errors.ts'
import type { InferenceRequest } from './request.ts'

/** A source and the day that its task is of; null where nobody knows it. */
export interface PlannedSource {
  readonly source: Source
  readonly date: string | null
  /** Place in the request's list of URLs */
  readonly origin?: number
}

const DAY = /^\d{4}-\d{2}-\d{2}$/

const sceneOf = (modality: string | null, text: string): Scene =>
  /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? { modality, url: text } : { modality, file: text }

const sourceOf = (item: string | Readonly<Record<string, string>>): Source => ({
  kind: 'scene',
  scenes:
    typeof item === 'string'
      ? [sceneOf(null, item)]
      : Object.entries(item).map(([modality, text]) => sceneOf(modality, text)),
})

/** Whether a request asks for a place, so that a catalogue must be searched. */
export const isByPlace = ({
  spatial_domain: { bbox, polygons, tiles },
}: InferenceRequest): boolean => [bbox, polygons, tiles].some((list) => list?.length)

/** What a task's pixels come from, as a line for people. */
export const labelOf = (source: Source): string => {
  if (source.kind === 'scene')
    return source.scenes
      .map(({ url, file, member }) => `${url ?? file}${member ? `!${member}` : ''}`)
      .join(', ')
  const what = source.modalities.map(({ collection, date }) => `${collection} ${date}`).join(', ')
  return `${what} [${source.bbox.join(', ')}]`
}

/**
 * The scenes that a request names by URL, or the files given beside it; each is a task.
 *
 * The n-th date belongs to the n-th URL; one date given with files alone belongs to all of them.
 *
 * @throws PlanError `request.no_scene` where there is none and no search found one
 */
export const scenesOf = (
  request: InferenceRequest,
  files: readonly string[],
  searched: boolean,
): PlannedSource[] => {
  const urls = request.spatial_domain.urls ?? []
  const dates = request.temporal_domain
  const dateAt = (n: number): string | null => {
    const date = dates[n]?.trim() ?? ''
    return DAY.test(date) ? date : null
  }
  if (urls.length)
    return urls.map((item, n) => ({
      source: sourceOf(item),
      date: dateAt(n),
      origin: n,
    }))
  if (searched) return []
  if (files.length)
    return files.map((file, n) => ({
      source: sourceOf(file),
      date: dates.length === 1 ? dateAt(0) : dateAt(n),
    }))
  throw new PlanError(
    'request.no_scene',
    'spatial_domain.urls is empty and no file was given: name a scene by --scene, --inputs or a URL',
  )
}
