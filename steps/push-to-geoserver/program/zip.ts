import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'

/** One file of a zip; `open` gives its bytes, as often as it is called. */
export interface Entry {
  readonly name: string
  /** Bytes */
  readonly size: number
  open(): Readable
}
interface Placed extends Entry {
  readonly crc: number
  readonly offset: number
}

const MAX32 = 0xffffffff
const MAX16 = 0xffff
/** 1980-01-01, the format's first day: the same bytes for the same files. */
const DAY = 0x0021
const UTF8 = 0x0800

const checksum = async (entry: Entry): Promise<number> => {
  let crc = 0
  for await (const chunk of entry.open()) crc = crc32(chunk as Buffer, crc)
  return crc
}

/** What the local header and the central directory share, from `version needed` on. */
const common = ({ name, size, crc }: Placed, large: boolean, extra: number): Buffer => {
  const head = Buffer.alloc(26)
  head.writeUInt16LE(large ? 45 : 20, 0)
  head.writeUInt16LE(UTF8, 2)
  head.writeUInt16LE(DAY, 8)
  head.writeUInt32LE(crc, 10)
  head.writeUInt32LE(large ? MAX32 : size, 14)
  head.writeUInt32LE(large ? MAX32 : size, 18)
  head.writeUInt16LE(Buffer.byteLength(name), 22)
  head.writeUInt16LE(extra, 24)
  return head
}

/** The extra field with 64-bit sizes (APPNOTE 4.5.3); empty where 32 bits do. */
const sizes = (values: readonly number[]): Buffer => {
  if (!values.length) return Buffer.alloc(0)
  const extra = Buffer.alloc(4 + 8 * values.length)
  extra.writeUInt16LE(1, 0)
  extra.writeUInt16LE(8 * values.length, 2)
  values.forEach((value, n) => extra.writeBigUInt64LE(BigInt(value), 4 + 8 * n))
  return extra
}

const local = (entry: Placed): Buffer => {
  const large = entry.size >= MAX32
  const extra = sizes(large ? [entry.size, entry.size] : [])
  const head = common(entry, large, extra.length)
  return Buffer.concat([Buffer.from('PK\x03\x04'), head, Buffer.from(entry.name), extra])
}

const central = (entry: Placed): Buffer => {
  const large = entry.size >= MAX32
  const far = entry.offset >= MAX32
  const extra = sizes([...(large ? [entry.size, entry.size] : []), ...(far ? [entry.offset] : [])])
  const head = common(entry, large, extra.length)
  if (far) head.writeUInt16LE(45, 0)
  const tail = Buffer.alloc(14)
  tail.writeUInt32LE(far ? MAX32 : entry.offset, 10)
  const made = Buffer.from([45, 0])
  return Buffer.concat([
    Buffer.from('PK\x01\x02'),
    made,
    head,
    tail,
    Buffer.from(entry.name),
    extra,
  ])
}

const ending = (count: number, size: number, offset: number): Buffer => {
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 0, 'latin1')
  end.writeUInt16LE(Math.min(count, MAX16), 8)
  end.writeUInt16LE(Math.min(count, MAX16), 10)
  end.writeUInt32LE(Math.min(size, MAX32), 12)
  end.writeUInt32LE(Math.min(offset, MAX32), 16)
  if (offset < MAX32 && size < MAX32 && count < MAX16) return end
  const record = Buffer.alloc(56)
  record.write('PK\x06\x06', 0, 'latin1')
  record.writeBigUInt64LE(44n, 4)
  record.writeUInt16LE(45, 12)
  record.writeUInt16LE(45, 14)
  record.writeBigUInt64LE(BigInt(count), 24)
  record.writeBigUInt64LE(BigInt(count), 32)
  record.writeBigUInt64LE(BigInt(size), 40)
  record.writeBigUInt64LE(BigInt(offset), 48)
  const locator = Buffer.alloc(20)
  locator.write('PK\x06\x07', 0, 'latin1')
  locator.writeBigUInt64LE(BigInt(offset + size), 8)
  locator.writeUInt32LE(1, 16)
  return Buffer.concat([record, locator, end])
}

/**
 * A zip of `entries`, stored (rasters are packed already) and streamed; Zip64 where it must be.
 *
 * Sizes and checksums stand before the data, so that readers of streams take it too: Java's refuses
 * stored entries whose sizes follow, which is how the usual packages write them.
 *
 * @see PKWARE APPNOTE.TXT 6.3.10
 */
export const zipped = async (
  entries: readonly Entry[],
): Promise<{ size: number; open(): Readable }> => {
  const placed: Placed[] = []
  let offset = 0
  for (const entry of entries) {
    const next: Placed = { ...entry, open: () => entry.open(), crc: await checksum(entry), offset }
    placed.push(next)
    offset += local(next).length + next.size
  }
  const directory = Buffer.concat(placed.map(central))
  const end = ending(placed.length, directory.length, offset)
  async function* bytes() {
    for (const entry of placed) {
      yield local(entry)
      yield* entry.open()
    }
    yield directory
    yield end
  }
  return {
    size: offset + directory.length + end.length,
    open: () => Readable.from(bytes(), { objectMode: false }),
  }
}
