import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { geopackage } from '../../test/support/geoserver/geopackage.ts'
import { netcdf } from '../../test/support/geoserver/netcdf.ts'
import { layer, made, pushTo } from '../../test/support/geoserver/pushes.ts'
import { type Geoserver, startGeoserver } from '../../test/support/geoserver/server.ts'
import { emptyShape } from '../../test/support/geoserver/shapefile.ts'
import { textEntry } from './program/body.ts'
import { remove } from './program/remove.ts'
import { zipped } from './program/zip.ts'

let stand: Geoserver
beforeEach(async () => void (stand = await startGeoserver()))
afterEach(() => stand.close())

const shapes = { ...layer, geoserver_style: { polygon_style: { fill: '#4589FF' } } }
const shape = emptyShape()
const entry = (name: string) =>
  name.endsWith('.shp')
    ? { name, size: shape.length, open: () => Readable.from([shape]) }
    : textEntry(name, 'x')
const zip = async (...names: string[]) => buffer((await zipped(names.map(entry))).open())
const stores = () => stand.state.workspaces.get('geofm')!.datastores

test('a flat Shapefile zip, and loose files: one layer a task, with its style; again is no second', async () => {
  const flat = made('s.zip', await zip('a.shp', 'a.shx', 'a.dbf'))
  await pushTo(stand, { layers: [shapes], task: 0 }, flat)
  await pushTo(stand, { layers: [shapes], task: 0 }, flat)
  const folder = mkdtempSync(join(tmpdir(), 'geodag-shp-'))
  for (const name of ['b.shp', 'b.shx', 'b.dbf', 'c.dbf'])
    writeFileSync(join(folder, name), name.endsWith('.shp') ? shape : 'x')
  const loose = { folder, artifacts: { model_output_image: 'b.shp' } }
  const { predicted_layers } = await pushTo(stand, { layers: [shapes], task: 3 }, loose)
  expect(predicted_layers).toMatchObject([{ uri: 'geofm:i-pred-3' }])
  expect([...stores()].map(([name, { types }]) => [name, [...types.values()]])).toEqual([
    ['i-pred', [{ name: 'i-pred', nativeName: 'a' }]],
    ['i-pred-3', [{ name: 'i-pred-3', nativeName: 'b' }]],
  ])
  const server = { url: stand.url, username: 'admin', password: 'geoserver', pause: 1 }
  await remove(server, [{ workspace: 'geofm', name: 'i-pred-3' }])
  expect([...stores().keys()]).toEqual(['i-pred'])
})

test('a GeoPackage: each table a layer with its box and style; again is no second; what is none', async () => {
  const file = made('s.gpkg', geopackage('field', 'water body'))
  const report = await pushTo(stand, { layers: [shapes], task: 2 }, file)
  const uris = ['geofm:i-pred-2', 'geofm:i-pred-2-water_body']
  expect(report.predicted_layers.map(({ uri }) => uri)).toEqual(uris)
  // 500 m of a side, in degrees.
  for (const [w, s, e, n] of report.bboxes)
    expect([e - w, n - s].every((side) => side > 0.004 && side < 0.007)).toBe(true)
  expect(await pushTo(stand, { layers: [shapes], task: 2 }, file)).toEqual(report)
  const [held] = [...stores().values()]
  expect([...stores().keys(), held!.type, [...held!.types.values()]]).toEqual([
    'i-pred-2',
    'GeoPackage',
    [
      { name: 'i-pred-2', nativeName: 'field' },
      { name: 'i-pred-2-water_body', nativeName: 'water body' },
    ],
  ])
  const { styles, layers } = stand.state.workspaces.get('geofm')!
  for (const name of ['i-pred-2', 'i-pred-2-water_body']) {
    expect(styles.get(name)!.sld).toContain('#4589FF')
    expect(layers.get(name)!.defaultStyle).toEqual({ name, workspace: 'geofm' })
  }
  expect(stand.state.truncated).toEqual([...uris, ...uris])
  await expect(
    pushTo(stand, { layers: [shapes], layer_prefix: 'j' }, made('t.gpkg', Buffer.from('text'))),
  ).rejects.toMatchObject({ code: 'geoserver.unreadable' })
  expect([...stores().keys()]).toEqual(['i-pred-2'])
})

test('a folder in the zip, a missing part and no shape are geoserver.bad_shapefile', async () => {
  for (const names of [['d/a.shp', 'd/a.dbf'], ['a.txt']])
    await expect(
      pushTo(stand, { layers: [shapes] }, made('s.zip', await zip(...names))),
    ).rejects.toMatchObject({ code: 'geoserver.bad_shapefile' })
  await expect(
    pushTo(stand, { layers: [shapes] }, made('a.shp', Buffer.from('x'))),
  ).rejects.toMatchObject({
    code: 'geoserver.bad_shapefile',
    message: expect.stringContaining('.shx'),
  })
})

test('a NetCDF file: the coverage that is named, or the only one', async () => {
  const file = made('a.nc', netcdf(4, { Flood: () => 1, Depth: () => 2 }))
  const named = { ...layer, coverage_name: 'flood' }
  await pushTo(stand, { layers: [named] }, file)
  const { coverages } = stand.state.workspaces.get('geofm')!.coveragestores.get('i-pred')!
  expect([...coverages.values()].map(({ nativeName }) => nativeName)).toEqual(['Flood'])
  await expect(pushTo(stand, { layer_prefix: 'j' }, file)).rejects.toMatchObject({
    code: 'geoserver.no_coverage',
    message: expect.stringContaining('Flood, Depth'),
  })
})
