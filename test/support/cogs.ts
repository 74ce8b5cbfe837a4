import { mkdtempSync, openSync, readSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assets, make, session } from './engine.ts'

/** One answer with bytes: which file, from and to which byte, both included. */
export interface Asked {
  readonly path: string
  readonly first: number
  readonly last: number
}
/** Files of a folder by range, at an address that this machine and a step's container both reach. */
export interface RangeServer {
  readonly url: string
  readonly host: string
  readonly asked: Asked[]
  close(): Promise<void>
}

/** The address of this machine as a container sees it: the gateway of the engine's own network. */
export const hostAddress = (): Promise<string> =>
  session(async () => {
    const routes = await assets()
      .directory('containers/raster')
      .dockerBuild()
      .withExec(['cat', '/proc/net/route'])
      .stdout()
    const gateway = routes.split('\n').map((line) => line.split(/\s+/))
    const hex = gateway.find((fields) => fields[1] === '00000000')![2]!
    return [3, 2, 1, 0].map((n) => parseInt(hex.slice(n * 2, n * 2 + 2), 16)).join('.')
  })

const rangeOf = (header: string | undefined, size: number): [number, number] | undefined => {
  const found = /^bytes=(\d+)-(\d+)$/.exec(header ?? '')
  if (!found || Number(found[1]) >= size) return undefined
  return [Number(found[1]), Math.min(Number(found[2]), size - 1)]
}

/** Serves single ranges alone, as RFC 9110 14 has them: a reader that wants whole files fails. */
export const serveRanges = async (folder: string, host: string): Promise<RangeServer> => {
  const asked: Asked[] = []
  const server: Server = createServer((request, answer) => {
    const path = new URL(request.url!, 'http://x').pathname
    let size: number
    try {
      size = statSync(join(folder, path)).size
    } catch {
      return void answer.writeHead(404, { 'Content-Length': 0 }).end()
    }
    const range = rangeOf(request.headers.range, size)
    if (!range) return void answer.writeHead(416, { 'Content-Length': 0 }).end()
    const [first, last] = range
    const bytes = Buffer.alloc(last - first + 1)
    readSync(openSync(join(folder, path), 'r'), bytes, 0, bytes.length, first)
    asked.push({ path, first, last })
    const of = `bytes ${first}-${last}/${size}`
    answer.writeHead(206, { 'Content-Length': bytes.length, 'Content-Range': of }).end(bytes)
  })
  await new Promise<void>((done) => server.listen(0, '0.0.0.0', done))
  const { port } = server.address() as { port: number }
  return {
    url: `http://${host}:${port}`,
    host,
    asked,
    close: () => new Promise((done) => server.close(() => done())),
  }
}

const SCENES = `
import numpy as np, os, rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin
keys = ("blue", "green", "red", "nir", "swir16", "swir22")
for name, x, dn in (("A", 500000, 1000), ("B", 504000, 2000), ("C", 500000, 3000)):
    os.makedirs(name)
    for key in keys + ("scl",):
        size, step = (256, 20) if key == "scl" else (512, 10)
        with rasterio.open(f"{name}/{key}.tif", "w", driver="COG", blocksize=256, width=size, height=size,
                           count=1, dtype="uint8" if key == "scl" else "uint16", nodata=0,
                           crs=CRS.from_epsg(32631), transform=from_origin(x, 5000000, step, step)) as made:
            value = 4 if key == "scl" else dn
            pixels = np.full((1, size, size), value, made.dtypes[0])
            if (name, key) == ("A", "scl"):  # a cloud over 600 m by 400 m, from 501000, 4999000
                pixels[:, 50:70, 50:80] = 9
            made.write(pixels)
`

/** COGs of the scenes A, B and C of stac-items.ts, six bands at 10 m and SCL at 20 m, in a folder of this machine. */
export const makeScenes = async (): Promise<string> => {
  const folder = mkdtempSync(join(tmpdir(), 'geodag-cogs-'))
  await session(async () => void (await make(SCENES).export(folder)))
  return folder
}
