import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readConfig } from '../../api/config.ts'
import { FolderStore } from '../../api/storage/folder.ts'
import { fileRoutes } from '../../api/storage/routes.ts'
import { S3Store } from '../../api/storage/s3.ts'
import type { Store } from '../../api/storage/store.ts'
import { startS3 } from '../support/services.ts'

const folder = mkdtempSync(join(tmpdir(), 'geodag-store-'))

const folderStore = async () => {
  const app = new Hono()
  let url = ''
  const store = new FolderStore(join(folder, 'objects'), 'k'.repeat(64), () => url)
  fileRoutes(app, store, readConfig({ DATA_FOLDER: folder }))
  const server = await new Promise<ReturnType<typeof serve>>((listening) => {
    const started = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () =>
      listening(started),
    )
  })
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { store, stop: async () => void server.close() }
}

const s3Store = async () => {
  const s3 = await startS3()
  return { store: new S3Store(readConfig({ ...s3.settings, DATA_FOLDER: folder })), stop: s3.stop }
}

// One suite for every store: what one promises, each keeps.
describe.each([
  ['a folder', folderStore],
  ['S3', s3Store],
])('%s', (_, make) => {
  let store: Store
  let stop: () => Promise<void>
  beforeAll(async () => {
    ;({ store, stop } = await make())
  })
  afterAll(() => stop())

  test('what was put is read back, whole and in size; what was not is undefined', async () => {
    await store.put('a/b/one.txt', 'hello')
    writeFileSync(join(folder, 'two'), 'by file')
    await store.putFile('a/b/two.txt', join(folder, 'two'))
    expect((await store.get('a/b/one.txt')).toString()).toBe('hello')
    expect((await store.get('a/b/two.txt')).toString()).toBe('by file')
    expect([await store.size('a/b/one.txt'), await store.size('a/b/three.txt')]).toEqual([
      5,
      undefined,
    ])
  })

  test('an object that is written anew is another; one that is not there is none', async () => {
    const url = await store.signGet('up/again.bin', 60)
    expect(await store.written(url)).toBeUndefined()
    await store.put('up/again.bin', 'first')
    const first = await store.written(url)
    expect(await store.written(await store.signGet('up/again.bin', 90))).toBe(first)
    await store.put('up/again.bin', 'other')
    expect([first, await store.written(url)]).toEqual([expect.any(String), expect.any(String)])
    expect(await store.written(url)).not.toBe(first)
  })

  test('a signed URL answers Range without a header, and takes a PUT of any type with 200', async () => {
    const put = await fetch(await store.signPut('up/x.bin', 60), {
      method: 'PUT',
      headers: { 'Content-Type': 'image/x-anything' },
      body: '0123456789',
    })
    expect(put.status).toBe(200)
    const url = await store.signGet('up/x.bin', 60)
    const part = await fetch(url, { headers: { Range: 'bytes=2-4' } })
    expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([
      206,
      'bytes 2-4/10',
      '234',
    ])
    const last = await fetch(url, { headers: { Range: 'bytes=-3' } })
    expect(await last.text()).toBe('789')
    expect((await fetch(url.replace('x.bin', 'y.bin'))).status).toBe(403)
    expect((await fetch(url, { method: 'PUT', body: 'x' })).status).toBe(403)
  })

  test('download takes its own signed URLs only, and says what a bad one answers', async () => {
    await store.put('down/z.tif', 'raster')
    const [url, target] = [await store.signGet('down/z.tif', 60), join(folder, 'z.tif')]
    await store.download(url, target)
    expect(readFileSync(target, 'utf8')).toBe('raster')
    await expect(store.download(url.split('?')[0]!, target)).rejects.toMatchObject({ status: 403 })
    const gone = await store.signGet('down/gone.tif', 60)
    await expect(store.download(gone, target)).rejects.toMatchObject({ status: 404 })
    expect([store.owns(url), store.owns('https://example.org/z.tif')]).toEqual([true, false])
    expect(store.owns(url.replace('down/z.tif', '../../../z.tif'))).toBe(false)
  })

  test('removeBelow takes what is below, and nothing beside it', async () => {
    await store.put('run/task/a.tif', 'a')
    await store.put('run/task/deep/b.tif', 'b')
    await store.put('run2/c.tif', 'c')
    await store.removeBelow('run')
    await store.removeBelow('run') // nothing left is no error
    const sizes = ['run/task/a.tif', 'run/task/deep/b.tif', 'run2/c.tif'].map((key) =>
      store.size(key),
    )
    expect(await Promise.all(sizes)).toEqual([undefined, undefined, 1])
  })
})
