import { createReadStream, statSync } from 'node:fs'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import type { Body } from './client.ts'
import { type Entry, zipped } from './zip.ts'

export const textBody = (type: string, text: string): Body => {
  const data = Buffer.from(text, 'utf8')
  return { type, size: data.length, open: () => Readable.from([data]) }
}
export const xml = (text: string): Body => textBody('application/xml', text)

export const fileBody = (type: string, path: string): Body => ({
  type,
  size: statSync(path).size,
  open: () => createReadStream(path),
})

export const fileEntry = (path: string, name = basename(path)): Entry => ({
  name,
  size: statSync(path).size,
  open: () => createReadStream(path),
})
export const textEntry = (name: string, text: string): Entry => {
  const data = Buffer.from(text, 'utf8')
  return { name, size: data.length, open: () => Readable.from([data]) }
}

/** A zip of `entries`. GeoServer compares the type as a whole string: it may bear no parameter. */
export const zipBody = async (entries: readonly Entry[]): Promise<Body> => ({
  type: 'application/zip',
  ...(await zipped(entries)),
})
