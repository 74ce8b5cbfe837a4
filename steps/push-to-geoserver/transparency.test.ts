import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Extras, geotiff } from '../../test/support/geotiff.ts'
import { layer, made, pushTo } from '../../test/support/geoserver/pushes.ts'
import { startGeoserver } from '../../test/support/geoserver/server.ts'
import { readTiff } from './program/tiff.ts'
import { transparencyOf } from './program/transparency.ts'

const folder = mkdtempSync(join(tmpdir(), 'geodag-transparency-'))
const written = (bytes: Buffer, name = 'a.tif'): string => {
  writeFileSync(join(folder, name), bytes)
  return join(folder, name)
}
const file = (extras: Extras, bands = 3) => written(geotiff(8, bands, () => 7, extras))
const rgb = {
  rgb: ['Red', 'Green', 'Blue'].map((name, n) => ({ label: `${name}Channel`, channel: n + 1 })),
}

test("a TIFF's directories say what its bands, its mask, its alpha band and its nodata are", async () => {
  expect(await readTiff(file({}))).toEqual({
    ...{ bands: 3, bits: 16, mask: false, alpha: false, nodata: undefined },
  })
  const all = { mask: () => true, nodata: -9999, alpha: true, bits: 8 } as const
  expect(await readTiff(file(all, 4))).toEqual({
    ...{ bands: 4, bits: 8, mask: true, alpha: true, nodata: -9999 },
  })
})

test('what is no TIFF, ends early or runs in a circle is left to the server', async () => {
  expect(await readTiff(written(Buffer.from('no TIFF at all')))).toBeUndefined()
  expect(await readTiff(written(Buffer.alloc(0)))).toBeUndefined()
  const whole = geotiff(8, 3, () => 7)
  for (let length = 4; length < whole.length; length += 7)
    await readTiff(written(whole.subarray(0, length)))
  const circle = Buffer.from(whole)
  const start = circle.readUInt32LE(4)
  circle.writeUInt32LE(start, start + 2 + circle.readUInt16LE(start) * 12)
  expect(await readTiff(written(circle))).toMatchObject({ bands: 3, mask: false })
  // A BigTIFF whose directory lies beyond every file.
  const far = Buffer.from('49492b0008000000ffffffffffffff7f', 'hex')
  expect(await readTiff(written(far))).toBeUndefined()
})

test('a picture is transparent by its mask, its alpha band or a colour; else a warning says how', async () => {
  const of = (extras: Extras, style: unknown = rgb, bands = 3) =>
    transparencyOf(file(extras, bands), style)
  const none = { mask: false, parameters: {} }
  expect(await of({ mask: () => true, nodata: 0 })).toEqual({
    mask: true,
    parameters: { FootprintBehavior: 'Transparent' },
  })
  expect(await of({ alpha: true, nodata: 0 }, rgb, 4)).toEqual(none)
  expect(await of({})).toEqual(none)
  // A colour map makes nodata transparent by itself.
  expect(await of({ nodata: 0 }, { segmentation: [] })).toEqual(none)
  const colored = { mask: false, parameters: { InputTransparentColor: '#0a0a0a' } }
  expect(await of({ nodata: 10, bits: 8 })).toEqual(colored)
  const { warning } = await of({ nodata: 0 })
  expect(warning).toContain('gdalwarp -dstalpha')
  expect((await of({ nodata: 0, bits: 8 }, rgb, 13)).warning).toBe(warning)
})

test("a mosaic is told to read its granules' masks, beside its time, and keeps it with each new box", async () => {
  const stand = await startGeoserver()
  try {
    const masked = geotiff(8, 3, () => 7, { mask: (row) => row > 3 })
    const layers = [{ ...layer, geoserver_style: rgb }]
    for (const [task, date] of ['2024-08-12', '2024-09-12'].entries())
      await pushTo(stand, { layers, task, date }, made('a.tif', masked))
    const mosaic = stand.state.folder('geofm', 'i-pred')
    expect(mosaic.get('footprints.properties')?.toString()).toBe('footprint_source=raster\n')
    const { coveragestores } = stand.state.workspaces.get('geofm')!
    const { parameters, metadata } = coveragestores.get('i-pred')!.coverages.get('i-pred')!
    expect(parameters).toEqual({ FootprintBehavior: 'Transparent' })
    expect(metadata.entry['@key']).toBe('time')
    const plain = [{ ...layer, layer_name: 'uint16', geoserver_style: rgb }]
    const bare = geotiff(8, 3, () => 7, { nodata: 0 })
    const { warnings } = await pushTo(stand, { layers: plain, alone: true }, made('b.tif', bare))
    expect(warnings).toEqual([expect.stringMatching(/^b\.tif: GeoServer may draw nodata \(0\)/)])
  } finally {
    stand.close()
  }
})
