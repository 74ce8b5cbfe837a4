import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** On Linux an abstract socket, which the kernel takes back with its process; elsewhere a file's. */
const placeOf = (name: string): string => {
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 24)
  return process.platform === 'linux' ? `\0geodag-${hash}` : join(tmpdir(), `geodag-${hash}.lock`)
}

const answers = (place: string): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect(place, () => done(true)).on('error', () => done(false))
    socket.on('connect', () => socket.destroy())
  })

const take = (place: string): Promise<Server | undefined> =>
  new Promise((done, failed) => {
    const server = createServer((socket) => socket.destroy())
    server.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? done(undefined) : failed(error),
    )
    server.listen(place, () => done(server))
  })

/** Runs `work` while no other process of this machine does, for the same name. */
export const exclusively = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
  const place = placeOf(name)
  let held: Server | undefined
  while (!(held = await take(place))) {
    // A socket in the file system outlives its process.
    if (!place.startsWith('\0') && !(await answers(place))) await rm(place, { force: true })
    await new Promise((next) => setTimeout(next, 100))
  }
  try {
    return await work()
  } finally {
    await new Promise((done) => held.close(done))
  }
}
