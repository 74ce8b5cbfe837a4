import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Table } from './state.ts'

/** A ring's corners, metres of EPSG:32630; the first one is the last one too. */
export type Ring = readonly (readonly [number, number])[]

/** The upper left quarter of the test rasters' first kilometre. */
const RING: Ring = [
  [600_000, 4_300_000],
  [600_500, 4_300_000],
  [600_500, 4_299_500],
  [600_000, 4_299_500],
  [600_000, 4_300_000],
]

/** GeoPackageBinary: its header, little-endian and without an envelope, before the WKB polygon. */
const blob = (ring: Ring): Buffer => {
  const bytes = Buffer.alloc(8 + 13 + ring.length * 16)
  bytes.write('GP')
  bytes[3] = 1
  bytes.writeInt32LE(32630, 4)
  bytes[8] = 1
  bytes.writeUInt32LE(3, 9)
  bytes.writeUInt32LE(1, 13)
  bytes.writeUInt32LE(ring.length, 17)
  for (const [n, [x, y]] of ring.entries()) {
    bytes.writeDoubleLE(x, 21 + n * 16)
    bytes.writeDoubleLE(y, 29 + n * 16)
  }
  return bytes
}

const SCHEMA = `
PRAGMA application_id = 1196444487;
PRAGMA user_version = 10300;
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY,
  organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL,
  description TEXT);
INSERT INTO gpkg_spatial_ref_sys VALUES
  ('Undefined cartesian', -1, 'NONE', -1, 'undefined', NULL),
  ('Undefined geographic', 0, 'NONE', 0, 'undefined', NULL),
  ('WGS 84', 4326, 'EPSG', 4326, 'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]', NULL),
  ('WGS 84 / UTM zone 30N', 32630, 'EPSG', 32630, 'PROJCS["WGS 84 / UTM zone 30N",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",-3],PARAMETER["scale_factor",0.9996],PARAMETER["false_easting",500000],PARAMETER["false_northing",0],UNIT["metre",1],AUTHORITY["EPSG","32630"]]', NULL);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL,
  identifier TEXT UNIQUE, description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER);
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
  geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL);
`

/** Works on an SQLite database in a file that is gone afterwards. */
const inFile = <T>(work: (path: string) => T): T => {
  const folder = mkdtempSync(join(tmpdir(), 'geodag-gpkg-'))
  try {
    return work(join(folder, 'a.gpkg'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** A GeoPackage (OGC 12-128r19) of a table each, with one polygon in EPSG:32630. */
export const geopackage = (...tables: string[]): Buffer =>
  inFile((path) => {
    const database = new DatabaseSync(path)
    database.exec(SCHEMA)
    const [x, y] = [RING.map(([one]) => one), RING.map(([, one]) => one)]
    const box = [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)]
    for (const table of tables) {
      database.exec(
        `CREATE TABLE "${table}" (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom POLYGON, class INTEGER)`,
      )
      database.prepare(`INSERT INTO "${table}" (geom, class) VALUES (?, 1)`).run(blob(RING))
      database
        .prepare(
          'INSERT INTO gpkg_contents (table_name, data_type, identifier, min_x, min_y, max_x, max_y, srs_id) VALUES (?, ?, ?, ?, ?, ?, ?, 32630)',
        )
        .run(table, 'features', table, ...box)
      database
        .prepare("INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'POLYGON', 32630, 0, 0)")
        .run(table)
    }
    database.close()
    return readFileSync(path)
  })

/**
 * The tables of features of a GeoPackage, as its own lists tell of them.
 *
 * @throws Error for what is no GeoPackage
 */
export const tablesIn = (bytes: Buffer): Table[] =>
  inFile((path) => {
    writeFileSync(path, bytes)
    const database = new DatabaseSync(path, { readOnly: true })
    try {
      const rows = database
        .prepare(
          "SELECT table_name, geometry_type_name, min_x, min_y, max_x, max_y, c.srs_id FROM gpkg_contents c JOIN gpkg_geometry_columns USING (table_name) WHERE data_type = 'features' ORDER BY table_name",
        )
        .all() as Record<string, any>[]
      return rows.map((row) => ({
        name: row.table_name,
        geometry: geometryOf(row.geometry_type_name),
        box: [row.min_x, row.min_y, row.max_x, row.max_y],
        epsg: row.srs_id,
      }))
    } finally {
      database.close()
    }
  })

const geometryOf = (name: string): Table['geometry'] =>
  /POINT/i.test(name) ? 'POINT' : /LINE/i.test(name) ? 'LINE' : 'POLYGON'
