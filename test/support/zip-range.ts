import { inflateRawSync } from 'node:zlib'

/** Bytes of a URL by HTTP Range, without a header of ours. @throws Error unless it is answered 206 */
const part = async (url: string, range: string): Promise<{ bytes: Buffer; of: number }> => {
  const answer = await fetch(url, { headers: { Range: `bytes=${range}` } })
  if (answer.status !== 206) throw new Error(`${range} was answered ${answer.status}`)
  const of = Number(/\/(\d+)$/.exec(answer.headers.get('content-range') ?? '')?.[1])
  return { bytes: Buffer.from(await answer.arrayBuffer()), of }
}

interface Member {
  readonly name: string
  readonly read: () => Promise<Buffer>
}

/**
 * The members of a zip that lies at a URL, by its directory alone; each is read on its own, as
 * GDAL's /vsizip//vsicurl/ does (APPNOTE 4.3.7, 4.3.12, 4.3.16; no 64-bit sizes).
 */
export const zipByRange = async (url: string): Promise<{ members: Member[]; bytes: number }> => {
  const end = await part(url, '-65557')
  const at = end.bytes.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]))
  const [size, start] = [end.bytes.readUInt32LE(at + 12), end.bytes.readUInt32LE(at + 16)]
  const { bytes: directory } = await part(url, `${start}-${start + size - 1}`)
  const members: Member[] = []
  for (let n = 0; n < size;) {
    const [name, extra, comment] = [28, 30, 32].map((m) => directory.readUInt16LE(n + m))
    const [method, packed] = [directory.readUInt16LE(n + 10), directory.readUInt32LE(n + 20)]
    const local = directory.readUInt32LE(n + 42)
    const read = async () => {
      const { bytes: head } = await part(url, `${local}-${local + 29}`)
      const data = local + 30 + head.readUInt16LE(26) + head.readUInt16LE(28)
      const { bytes } = await part(url, `${data}-${data + packed - 1}`)
      return method === 8 ? inflateRawSync(bytes) : bytes
    }
    members.push({ name: directory.toString('utf8', n + 46, n + 46 + name!), read })
    n += 46 + name! + extra! + comment!
  }
  return { members, bytes: end.of }
}
