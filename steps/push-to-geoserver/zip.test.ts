import { execFileSync } from 'node:child_process'
import { createWriteStream, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { buffer } from 'node:stream/consumers'
import { unzipSync } from 'fflate'
import { expect, test } from 'vitest'
import { fileEntry, textEntry } from './program/body.ts'
import { namesIn } from './program/zip-names.ts'
import { zipped } from './program/zip.ts'

const folder = mkdtempSync(join(tmpdir(), 'geodag-zip-'))

test('files come out as they went in, sizes before the data, and the same bytes twice', async () => {
  writeFileSync(join(folder, 'a.tif'), Buffer.alloc(100_000, 7))
  const entries = [fileEntry(join(folder, 'a.tif'), 'é.tif'), textEntry('b.properties', 'x=1\n')]
  const zip = await zipped(entries)
  const bytes = await buffer(zip.open())
  expect(bytes.length).toBe(zip.size)
  expect(bytes.equals(await buffer((await zipped(entries)).open()))).toBe(true)
  const files = unzipSync(bytes)
  expect(Object.keys(files)).toEqual(['é.tif', 'b.properties'])
  expect(Buffer.from(files['é.tif']!).equals(Buffer.alloc(100_000, 7))).toBe(true)
  // Flag 3 is a size that follows the data; Java's stream reader refuses that for stored entries.
  expect(bytes.readUInt16LE(6) & 8).toBe(0)
  writeFileSync(join(folder, 'a.zip'), bytes)
  expect(await namesIn(join(folder, 'a.zip'))).toEqual(['é.tif', 'b.properties'])
})

test('no zip, and a cut one, are named', async () => {
  for (const bytes of [Buffer.alloc(0), Buffer.from('PK'), Buffer.alloc(5000, 1)]) {
    writeFileSync(join(folder, 'bad.zip'), bytes)
    await expect(namesIn(join(folder, 'bad.zip'))).rejects.toMatchObject({
      code: 'geoserver.bad_shapefile',
    })
  }
})

test('beyond 4 GiB the directory has 64-bit sizes and offsets that another reader finds', async () => {
  const size = 2 ** 32 + 5
  const chunk = Buffer.alloc(2 ** 24)
  const big = {
    ...{ name: 'big.tif', size },
    open: () =>
      Readable.from(
        (function* () {
          for (let left = size; left > 0; left -= chunk.length)
            yield left >= chunk.length ? chunk : chunk.subarray(0, left)
        })(),
      ),
  }
  const path = join(folder, 'big.zip')
  const zip = await zipped([big, textEntry('after.txt', 'end')])
  // Only the tail is kept: in front of it the file is a hole of the same length.
  const keep = 1000
  let at = 0
  const tail = createWriteStream(path, { start: zip.size - keep })
  await pipeline(
    zip.open(),
    async function* (source) {
      for await (const part of source as AsyncIterable<Buffer>) {
        const from = Math.max(0, zip.size - keep - at)
        at += part.length
        if (from < part.length) yield part.subarray(from)
      }
    },
    tail,
  )
  expect(at).toBe(zip.size)
  const list =
    'import sys, zipfile; print([(i.filename, i.file_size, i.header_offset > 2**32) for i in zipfile.ZipFile(sys.argv[1]).infolist()])'
  const said = execFileSync('python3', ['-c', list, path]).toString().trim()
  expect(said).toBe(`[('big.tif', ${size}, False), ('after.txt', 3, True)]`)
}, 60_000)
