/**
 * What a search gives and a plan keeps: items whose pixels can be read without asking again.
 *
 * The planner searches and writes frozen items into each task; the step that reads pixels never
 * searches. Same items, same grid: same bytes.
 */

/** GeoJSON geometry of a footprint, longitude and latitude, EPSG:4326. @see RFC 7946 */
export interface Footprint {
  readonly type: 'Polygon' | 'MultiPolygon'
  readonly coordinates: unknown
}

/** One band of one item, as the catalogue and the item's own metadata describe it. */
export interface FrozenBand {
  /** https (or s3 of a catalogue that names bucket, region and payer); never signed, no token */
  readonly href: string
  /** Band of the file, counted from 1 */
  readonly file_band: number
  /** DN to harmonised value: value = DN * scale + offset, in the units of the catalogue's row */
  readonly scale: number
  readonly offset: number
  /** DN of a pixel without data; null where the file says it itself or has none */
  readonly nodata: number | null
  /** SCL, Fmask, QA: nearest always, no scale, for masks only */
  readonly class_band: boolean
  /**
   * What the item says of its grid; the file wins where they differ, null where the item is silent.
   * The transform is in GDAL's order, as a Grid's.
   */
  readonly epsg: number | null
  readonly transform: readonly number[] | null
  /** rows, columns */
  readonly shape: readonly [number, number] | null
  /** Ground sample distance, metres, of the catalogue's row or of the item */
  readonly gsd: number | null
}

/** One item of a catalogue, frozen: everything that choosing and reading it needs. */
export interface FrozenItem {
  readonly id: string
  /** Catalogue row that it was found in: `connector/collection` */
  readonly collection: string
  /** Sensing time, UTC, ISO 8601 with milliseconds */
  readonly datetime: string
  /** Percent; null: the catalogue does not say */
  readonly cloud_cover: number | null
  /** MGRS tile, path/row or null; the items of one tile and time are duplicates or halves */
  readonly tile: string | null
  /** Processing baseline such as 05.11, or null */
  readonly baseline: string | null
  /** Platform constellation: days are grouped within one */
  readonly platform: string | null
  /** Ascending or descending and the relative orbit, for SAR; null otherwise */
  readonly orbit: string | null
  /** In the frame of the searched box: over the 180th meridian longitudes go on beyond 180 */
  readonly footprint: Footprint
  /** Band name of the model's spec to file */
  readonly bands: Readonly<Record<string, FrozenBand>>
  /** What was odd and what was decided: goes into the plan and the log */
  readonly warnings: readonly string[]
}

/** The grid that the pixels of a task are put on; all tiles of one box lie on one grid. */
export interface Grid {
  readonly epsg: number
  /** GDAL's order: origin x, pixel width, 0, origin y, 0, negative pixel height */
  readonly transform: readonly [number, number, number, number, number, number]
  readonly width: number
  readonly height: number
}
