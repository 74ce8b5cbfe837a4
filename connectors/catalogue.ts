import { ConnectorError } from './errors.ts'
import type { CatalogueRow, DataSource } from './row.ts'
import { copernicusDataSpace } from './rows/cdse.ts'
import { earthSearch } from './rows/earth-search.ts'
import { nasaEarthdata } from './rows/nasa.ts'
import { planetaryComputer } from './rows/planetary-computer.ts'
import { sentinelHub } from './rows/sentinelhub.ts'
import { weather } from './rows/weather.ts'

/** Every collection that models may name. */
export const ROWS: readonly CatalogueRow[] = [
  ...sentinelHub,
  ...earthSearch,
  ...nasaEarthdata,
  ...weather,
  ...planetaryComputer,
  ...copernicusDataSpace,
]

/** The row of a pair, in the catalogue of this installation. */
export const findRow = (
  connector: string,
  collection: string,
  rows: readonly CatalogueRow[] = ROWS,
): CatalogueRow | undefined =>
  rows.find(({ source }) => source.connector === connector && source.collection_name === collection)

/** @throws ConnectorError `connector.unknown`, naming what there is */
export const rowOf = (
  connector: string,
  collection: string,
  rows: readonly CatalogueRow[] = ROWS,
): CatalogueRow => {
  const found = findRow(connector, collection, rows)
  if (found) return found
  const own = rows.filter(({ source }) => source.connector === connector)
  const names = own.length
    ? own.map(({ source }) => source.collection_name)
    : [...new Set(rows.map(({ source }) => source.connector))]
  throw new ConnectorError(
    'connector.unknown',
    `${connector}/${collection} is not a data source: ${own.length ? `${connector} has` : 'connectors are'} ${names.join(', ')}`,
  )
}

/** What is answered when nobody asks for a connector by name. */
export const listed = (rows: readonly CatalogueRow[] = ROWS): DataSource[] =>
  rows.filter((row) => row.listed).map(({ source }) => source)
