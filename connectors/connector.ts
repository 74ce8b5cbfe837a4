import { type SearchStore, memoryStore } from './cache.ts'
import { type Credentials, requireAccount } from './credentials.ts'
import { ConnectorError } from './errors.ts'
import type { Box } from './geometry.ts'
import { type Resolve, type Send, secureClient } from './http.ts'
import type { FrozenItem } from './item.ts'
import type { Limits } from './pages.ts'
import type { CatalogueRow, SearchTarget } from './row.ts'
import { sentinelHubConnector } from './sentinelhub.ts'
import { stacConnector } from './stac.ts'

/** One question to a catalogue. */
export interface Query {
  /** Degrees, EPSG:4326; west > east crosses the 180th meridian */
  readonly bbox: Box
  /** UTC, ISO 8601, both ends included; as wide as the caller's days need */
  readonly interval: { readonly start: string; readonly end: string }
  /** As the model's spec names them; an item without one of them is left out */
  readonly bands: readonly string[]
  readonly limits?: Partial<Limits>
  /** MGRS tile such as 31TCJ: items of other tiles are left out */
  readonly tile?: string
  readonly signal?: AbortSignal
}
/** Items by time, then id; and what was left out or odd, in words. */
export interface Found {
  readonly items: readonly FrozenItem[]
  readonly warnings: readonly string[]
}
/** A catalogue that can be searched: the same question has the same answer for an hour. */
export interface Connector {
  /** @throws ConnectorError `catalogue.*`, `connector.unknown_band`, `connector.bad_query` */
  search(query: Query): Promise<Found>
}

export interface ConnectorOptions {
  readonly credentials?: Credentials
  /** Private addresses and plain http: for a test's own servers */
  readonly allowPrivateHosts?: boolean
  /** Kept answers; every connector of a process shares one by default */
  readonly store?: SearchStore
  /** Instead of the secure client: for tests */
  readonly send?: Send
  readonly resolve?: Resolve
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
}
/** What a kind of connector is built from. */
export interface Parts {
  readonly row: CatalogueRow
  readonly target: SearchTarget
  readonly send: Send
  readonly store: SearchStore
  readonly credentials: Credentials
  readonly allowPrivate: boolean
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
}

const shared = memoryStore()

/**
 * The connector of a catalogue's row.
 *
 * @throws ConnectorError `connector.not_searchable`, `connector.missing_credentials`
 */
export const connectorFor = (row: CatalogueRow, options: ConnectorOptions = {}): Connector => {
  const { credentials = {}, allowPrivateHosts = false, store = shared, wait } = options
  const target = row.search
  const { connector, collection_name } = row.source
  if (!target)
    throw new ConnectorError(
      'connector.not_searchable',
      `${connector}/${collection_name} has no catalogue that can be searched: give the scenes by spatial_domain.urls`,
    )
  requireAccount(row, credentials)
  const allowPrivate = allowPrivateHosts || row.private_hosts
  const url = new URL(target.url)
  const client = {
    hosts: [url, ...(target.token_url ? [new URL(target.token_url)] : [])].map(({ hostname }) =>
      hostname.replace(/^\[|\]$/g, ''),
    ),
    ports: url.port ? [Number(url.port)] : [],
    allowPrivate,
  }
  const { resolve } = options
  const send = options.send ?? secureClient({ ...client, ...(resolve ? { resolve } : {}) })
  const parts = { row, target, send, store, credentials, allowPrivate, ...(wait ? { wait } : {}) }
  return target.kind === 'sentinelhub' ? sentinelHubConnector(parts) : stacConnector(parts)
}
