/** Of one answer; `page_count` says how many entries came, and `skip` gets the rest. */
const LONGEST_ANSWER = 32 * 1024 * 1024

/** Entries as JSON with commas between them, and how many there are. */
const entriesOf = async <Id>(
  ids: readonly Id[],
  read: (ids: Id[]) => Promise<readonly unknown[]>,
  rows: number,
): Promise<{ pieces: Buffer[]; count: number }> => {
  const pieces: Buffer[] = []
  let [count, bytes] = [0, 0]
  for (let at = 0; at < ids.length && bytes < LONGEST_ANSWER; at += rows) {
    const entries = await read(ids.slice(at, at + rows))
    if (entries.length === 0) continue
    const text = entries.map((entry) => JSON.stringify(entry)).join()
    const piece = Buffer.from(count ? `,${text}` : text)
    pieces.push(piece)
    count += entries.length
    bytes += piece.length
  }
  return { pieces, count }
}

/**
 * A long list as JSON, read from the database a few rows at a time: the server answers others
 * between them, and holds no more than the answer itself.
 *
 * @param head what stands before the list, given how many entries it has
 */
export const listBody = async <Id>(
  head: (count: number) => object,
  key: string,
  ids: readonly Id[],
  read: (ids: Id[]) => Promise<readonly unknown[]>,
  rows = 20,
): Promise<Buffer<ArrayBuffer>> => {
  const { pieces, count } = await entriesOf(ids, read, rows)
  const [before, after] = JSON.stringify({ ...head(count), [key]: [] }).split(/(?=\]\}$)/)
  return Buffer.concat([Buffer.from(before!), ...pieces, Buffer.from(after!)])
}

/** The same where the list itself is the body. */
export const arrayBody = async <Id>(
  ids: readonly Id[],
  read: (ids: Id[]) => Promise<readonly unknown[]>,
  rows = 20,
): Promise<{ body: Buffer<ArrayBuffer>; count: number }> => {
  const { pieces, count } = await entriesOf(ids, read, rows)
  return { body: Buffer.concat([Buffer.from('['), ...pieces, Buffer.from(']')]), count }
}

/** Rows in the order of their ids. */
export const inOrder = <Row, Id>(
  ids: readonly Id[],
  rows: Row[],
  idOf: (row: Row) => Id,
): Row[] => {
  const byId = new Map(rows.map((row) => [idOf(row), row]))
  return ids.flatMap((id) => byId.get(id) ?? [])
}
