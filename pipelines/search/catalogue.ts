import type { FrozenItem, Grid } from '../../connectors/item.ts'
import type { CatalogueRow } from '../../connectors/row.ts'
import type { ModalityItems } from '../../steps/plan-context.ts'
import type { Box } from '../area/crs.ts'
import type { PlannedSource } from '../scenes.ts'

export interface SearchQuery {
  readonly bbox: Box
  /** UTC, ISO 8601, both ends included; null for a timeless collection */
  readonly interval: { readonly start: string; readonly end: string } | null
  readonly bands: readonly string[]
  readonly tile?: string
}
/** What planning by place needs of the world: each function may ask a server, and is given in. */
export interface Catalogue {
  search(
    row: CatalogueRow,
    query: SearchQuery,
  ): Promise<{ readonly items: readonly FrozenItem[]; readonly warnings: readonly string[] }>
  /** How pixels of a row are reached; nothing secret */
  reading(row: CatalogueRow): ModalityItems['reading']
  /** The request that makes the pixels, of a server which makes them */
  process(
    row: CatalogueRow,
    query: { bands: readonly string[]; grid: Grid; items: readonly FrozenItem[] },
  ): ModalityItems['process'] | undefined
  /** Where an open end stops, YYYY-MM-DD */
  readonly today: string
  readonly most_tasks: number
}

/** A place without data: an answer, not a failure. */
export interface NoData {
  readonly field: string
  readonly bbox: Box
  readonly reason: string
  /** Days near the wanted ones that pass all limits, nearest first */
  readonly nearest: readonly string[]
}
/** One day of one tile, with what was measured from the items' metadata. */
export interface FoundTask extends PlannedSource {
  readonly source: Extract<PlannedSource['source'], { kind: 'items' }>
  readonly cloud: number | null
  /** Share of the tile that the footprints of the first modality cover, 0 to 1 */
  readonly coverage: number
}
export interface Found {
  readonly tasks: readonly FoundTask[]
  readonly missing: readonly NoData[]
  readonly warnings: readonly string[]
}
