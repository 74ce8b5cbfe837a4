import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig } from '../config.ts'
import { StoreError, told } from './errors.ts'
import { FolderStore } from './folder.ts'
import { S3Store } from './s3.ts'
import type { Store } from './store.ts'

const failure = async (work: Promise<unknown>): Promise<StoreError> => {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(StoreError)
  return error as StoreError
}
const errno = (code: string, syscall: string) =>
  Object.assign(new Error(`${code}: ${syscall} '/srv/geodag/objects/a'`), { code, syscall })

test.each([
  ['EROFS', true, 'store.refused', true],
  ['EACCES', true, 'store.refused', true],
  ['ENOSPC', true, 'store.full', true],
  ['EIO', false, 'store.unavailable', true],
  ['ENOTDIR', true, 'store.unavailable', true],
  ['ENOENT', false, 'store.missing', false],
])('%s (writing: %s) is %s', async (code, writing, named, passes) => {
  const error = await failure(told('a/b', () => Promise.reject(errno(code, 'open')), writing))
  expect([error.code, error.passes]).toEqual([named, passes])
  expect(error.message).not.toContain('/srv')
})

test('what a caller itself refuses goes through as it is', async () => {
  const own = new RangeError('too large')
  await expect(told('a', () => Promise.reject(own))).rejects.toBe(own)
})

test('a folder that is gone or broken: codes of the store, no path, nothing left half', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'geodag-store-'))
  const objects = join(folder, 'objects')
  const store = new FolderStore(objects, 'k'.repeat(64), () => 'http://127.0.0.1:1')
  expect((await failure(store.get('a/b.txt'))).code).toBe('store.missing')
  expect(await store.size('a/b.txt')).toBeUndefined()
  await store.put('a/b.txt', 'text')
  writeFileSync(join(objects, 'file'), '')
  const below = await failure(store.put('file/b.txt', 'text'))
  expect([below.code, below.message]).toEqual([
    'store.unavailable',
    expect.not.stringContaining(folder),
  ])
  // What was written of it is not left, and what a killed process left is swept.
  expect(readdirSync(join(objects, '.parts'))).toEqual([])
  const [host] = (await import('./owner.ts')).ownerTag().split('-')
  writeFileSync(join(objects, `.parts/${host}-4194303-1.abc`), 'half')
  await store.tidy()
  expect(readdirSync(join(objects, '.parts'))).toEqual([])
  rmSync(folder, { recursive: true })
  mkdirSync(folder)
  expect(existsSync(objects)).toBe(false)
  rmSync(folder, { recursive: true })
})

test('an S3 that is away or refuses is told apart from an object that is not there', async () => {
  let status = 503
  const server = createServer((_, response) => response.writeHead(status).end())
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  const config = readConfig({
    DATA_FOLDER: mkdtempSync(join(tmpdir(), 'geodag-store-')),
    S3_ENDPOINT: `http://127.0.0.1:${port}`,
    S3_BUCKET: 'b',
    S3_ACCESS_KEY_ID: 'a',
    S3_SECRET_ACCESS_KEY: 's',
  })
  const store: Store = new S3Store(config)
  expect((await failure(store.get('a'))).code).toBe('store.unavailable')
  status = 403
  expect((await failure(store.put('a', 'x'))).code).toBe('store.refused')
  expect((await failure(store.size('a'))).code).toBe('store.refused')
  status = 404
  expect(await store.size('a')).toBeUndefined()
  await new Promise((done) => server.close(done))
  expect((await failure(store.get('a'))).code).toBe('store.unavailable')
}, 30_000)
