import { open } from 'node:fs/promises'
import { PushError } from './errors.ts'

const END = 0x06054b50
const END64 = 0x07064b50
const ENTRY = 0x02014b50

/** Names in a zip, off its central directory. @throws PushError `geoserver.bad_shapefile` */
export const namesIn = async (path: string): Promise<string[]> => {
  const file = await open(path)
  const bad = () => new PushError('geoserver.bad_shapefile', `${path} is no zip that can be read`)
  try {
    const { size } = await file.stat()
    const tail = Buffer.alloc(Math.min(size, 65_557))
    await file.read(tail, 0, tail.length, size - tail.length)
    let at = tail.length - 22
    while (at >= 0 && tail.readUInt32LE(at) !== END) at--
    if (at < 0 || (at >= 20 && tail.readUInt32LE(at - 20) === END64)) throw bad()
    const directory = Buffer.alloc(tail.readUInt32LE(at + 12))
    if (directory.length > size) throw bad()
    await file.read(directory, 0, directory.length, tail.readUInt32LE(at + 16))
    const names: string[] = []
    for (let next = 0; next + 46 <= directory.length;) {
      if (directory.readUInt32LE(next) !== ENTRY) throw bad()
      const [name, extra, comment] = [28, 30, 32].map((field) =>
        directory.readUInt16LE(next + field),
      ) as [number, number, number]
      names.push(directory.subarray(next + 46, next + 46 + name).toString('utf8'))
      next += 46 + name + extra + comment
    }
    return names
  } finally {
    await file.close()
  }
}
