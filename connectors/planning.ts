import { findRow } from './catalogue.ts'
import {
  type Connector,
  connectorFor,
  type ConnectorOptions,
  type Found,
  type Query,
} from './connector.ts'
import { readingOf } from './hosts.ts'
import type { FrozenItem, Grid } from './item.ts'
import type { CatalogueRow } from './row.ts'
import { processRequest } from './sentinelhub.ts'

/** A collection without days is asked for all of them. */
const ALWAYS = { start: '1970-01-01T00:00:00.000Z', end: '2100-01-01T00:00:00.000Z' }
const SECOND = 1000
const DIRECTIONS = ['ascending', 'descending'] as const

/** From the first to the last item, a second wider: the process API compares with its own rounding. */
const intervalOf = (items: readonly FrozenItem[]) => {
  const times = items.map(({ datetime }) => Date.parse(datetime)).sort((a, b) => a - b)
  return {
    start: new Date(times[0]! - SECOND).toISOString(),
    end: new Date(times.at(-1)! + SECOND).toISOString(),
  }
}

export interface PlanningOptions extends ConnectorOptions {
  readonly rows: readonly CatalogueRow[]
  /** Where an open end of a range stops, YYYY-MM-DD */
  readonly today: string
  readonly mostTasks: number
}

/** Catalogues as the planner asks them: one connector a row, with this installation's accounts. */
export const planningCatalogue = ({ rows, today, mostTasks, ...options }: PlanningOptions) => {
  const connectors = new Map<CatalogueRow, Connector>()
  const connectorOf = (row: CatalogueRow): Connector => {
    const made = connectors.get(row) ?? connectorFor(row, options)
    connectors.set(row, made)
    return made
  }
  return {
    today,
    most_tasks: mostTasks,
    find: (connector: string, collection: string) => findRow(connector, collection, rows),
    search: async (
      row: CatalogueRow,
      query: Omit<Query, 'interval'> & { readonly interval: Query['interval'] | null },
    ): Promise<Found> => connectorOf(row).search({ ...query, interval: query.interval ?? ALWAYS }),
    reading: (row: CatalogueRow) => readingOf(row, options),
    process: (
      row: CatalogueRow,
      query: { bands: readonly string[]; grid: Grid; items: readonly FrozenItem[] },
    ) => {
      if (row.search?.kind !== 'sentinelhub') return undefined
      const { bands, grid, items } = query
      const orbit = DIRECTIONS.find((direction) => items[0]?.orbit?.startsWith(direction))
      const interval = intervalOf(items)
      return processRequest(row, { bands, grid, interval, ...(orbit ? { orbit } : {}) })
    },
  }
}
