import type { BandDefinition } from '../row.ts'

/** Bands of the MSI as ESA names them, ground sample distance in metres. */
export const MSI: readonly BandDefinition[] = [
  ['B01', 60, 'Coastal aerosol, 442.7 nm (S2A), 442.3 nm (S2B)'],
  ['B02', 10, 'Blue, 492.4 nm (S2A), 492.1 nm (S2B)', { rgb: 'B' }],
  ['B03', 10, 'Green, 559.8 nm (S2A), 559.0 nm (S2B)', { rgb: 'G' }],
  ['B04', 10, 'Red, 664.6 nm (S2A), 665.0 nm (S2B)', { rgb: 'R' }],
  ['B05', 20, 'Vegetation red edge, 704.1 nm (S2A), 703.8 nm (S2B)'],
  ['B06', 20, 'Vegetation red edge, 740.5 nm (S2A), 739.1 nm (S2B)'],
  ['B07', 20, 'Vegetation red edge, 782.8 nm (S2A), 779.7 nm (S2B)'],
  ['B08', 10, 'NIR, 832.8 nm (S2A), 833.0 nm (S2B)'],
  ['B8A', 20, 'Narrow NIR, 864.7 nm (S2A), 864.0 nm (S2B)'],
  ['B09', 60, 'Water vapour, 945.1 nm (S2A), 943.2 nm (S2B)'],
  ['B10', 60, 'SWIR, cirrus, 1373.5 nm (S2A), 1376.9 nm (S2B)'],
  ['B11', 20, 'SWIR, 1613.7 nm (S2A), 1610.4 nm (S2B)'],
  ['B12', 20, 'SWIR, 2202.4 nm (S2A), 2185.7 nm (S2B)'],
]
export const SCL: BandDefinition = [
  'SCL',
  20,
  'Scene classification of the Sen2Cor processor',
  { classes: true, nodata: 0 },
]
const isCirrus = ([name]: BandDefinition): boolean => name === 'B10'
/** Level-2A has no cirrus band. */
export const L2A: readonly BandDefinition[] = [...MSI.filter((band) => !isCirrus(band)), SCL]

/** Common name of each L2A band, as Earth Search keys its assets. */
const COMMON: Readonly<Record<string, string>> = {
  ...{ B01: 'coastal', B02: 'blue', B03: 'green', B04: 'red', B05: 'rededge1', B06: 'rededge2' },
  ...{ B07: 'rededge3', B08: 'nir', B8A: 'nir08', B09: 'nir09', B11: 'swir16', B12: 'swir22' },
  SCL: 'scl',
}
/** The same bands under their common names; ESA's are alternatives. */
export const L2A_COMMON: readonly BandDefinition[] = L2A.map(
  ([name, gsd, description, more = {}]) => [
    COMMON[name]!,
    gsd,
    description,
    { ...more, alt: name },
  ],
)
/** The same bands; the common name is the alternative. */
export const L2A_ESA: readonly BandDefinition[] = L2A.map(([name, gsd, description, more = {}]) => [
  name,
  gsd,
  description,
  { ...more, alt: COMMON[name]! },
])
