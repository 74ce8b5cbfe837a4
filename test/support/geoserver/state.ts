import type { Version } from './http.ts'

export type Box = [west: number, south: number, east: number, north: number]

/** What is known of one raster file. */
export interface Raster {
  readonly epsg: number
  readonly bands: number
  readonly box: Box
  /** Pixels */
  readonly size?: readonly [width: number, height: number]
  /** As GDAL calls it */
  readonly type?: string
  /** Of the file itself: what its readers can see transparency by */
  readonly transparency?: 'mask' | 'alpha' | undefined
  readonly nodata?: number | null
}
export interface Granule extends Raster {
  readonly location: string
  /** YYYY-MM-DD: a shapefile's index has days alone */
  readonly time: string | null
}
/** A mosaic's index: a file of its folder, so that it outlives the store unless it is purged. */
export interface Index {
  /** Of the indexer, else of the folder */
  readonly name: string
  readonly timed: boolean
  readonly granules: Granule[]
}
export interface Coverage {
  name: string
  nativeName: string
  title: string
  enabled: boolean
  srs: string
  readonly bands: number
  /** Of its reader, by name */
  parameters: Record<string, string>
  native: Box
  /** EPSG:4326 */
  latLon: Box
  /** As GeoServer's JSON has it: `{entry: [...]}` */
  metadata: Record<string, any>
}
export interface CoverageStore {
  readonly name: string
  type: 'ImageMosaic' | 'GeoTIFF' | 'NetCDF'
  enabled: boolean
  url: string
  readonly coverages: Map<string, Coverage>
}
/** A table of features in a file, or a Shapefile. */
export interface Table {
  readonly name: string
  readonly geometry: 'POINT' | 'LINE' | 'POLYGON'
  /** In units of the CRS */
  readonly box: Box
  readonly epsg: number
}
export interface FeatureType {
  name: string
  nativeName: string
}
export interface DataStore {
  readonly name: string
  type: 'GeoPackage' | 'Shapefile'
  /** What the file holds */
  tables: Table[]
  readonly types: Map<string, FeatureType>
}
export interface Style {
  readonly name: string
  filename: string
  sld: string | null
  type: string
}
export interface Layer {
  defaultStyle: { name: string; workspace?: string }
}
export interface Workspace {
  readonly name: string
  isolated: boolean
  readonly coveragestores: Map<string, CoverageStore>
  readonly datastores: Map<string, DataStore>
  readonly styles: Map<string, Style>
  readonly layers: Map<string, Layer>
}

/** All that a GeoServer keeps: the catalogue, and its data folder beside it. */
export class State {
  readonly version: Version
  readonly workspaces = new Map<string, Workspace>()
  readonly styles = new Map<string, Style>([
    ['raster', { name: 'raster', filename: 'raster.sld', sld: '', type: 'sld' }],
    ['polygon', { name: 'polygon', filename: 'polygon.sld', sld: '', type: 'sld' }],
  ])
  /** `workspace/store` to file name to bytes */
  readonly files = new Map<string, Map<string, Buffer>>()
  readonly indexes = new Map<string, Index>()
  /** Layers whose tiles were truncated, in order */
  readonly truncated: string[] = []

  /** Where files that requests name by path lie, for an external mosaic */
  external: (path: string) => string | undefined = () => undefined

  constructor(version: Version) {
    this.version = version
  }

  /** Another GeoServer of the same catalogue and data. */
  copy(): State {
    const { workspaces, styles, indexes, truncated, external } = this
    const made = new State(this.version)
    for (const [folder, files] of this.files) made.files.set(folder, new Map(files))
    const maps = structuredClone({ workspaces, styles, indexes, truncated })
    return Object.assign(made, maps, { external })
  }

  add(name: string): Workspace {
    const maps = {
      coveragestores: new Map(),
      datastores: new Map(),
      styles: new Map(),
      layers: new Map(),
    }
    const made = { name, isolated: false, ...maps }
    this.workspaces.set(name, made)
    return made
  }

  folder(workspace: string, store: string): Map<string, Buffer> {
    const key = `${workspace}/${store}`
    if (!this.files.has(key)) this.files.set(key, new Map())
    return this.files.get(key)!
  }

  /** Empties a store's folder, its index with it. */
  purge(workspace: string, store: string): void {
    this.files.delete(`${workspace}/${store}`)
    this.indexes.delete(`${workspace}/${store}`)
  }

  index(workspace: string, store: string): Index | undefined {
    return this.indexes.get(`${workspace}/${store}`)
  }
}
