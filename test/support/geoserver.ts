import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Names in a stored zip, off its local headers. */
const entriesOf = (zip: Buffer): string[] => {
  const names: string[] = []
  for (let at = 0; zip.readUInt32LE(at) === 0x04034b50;) {
    const [size, length] = [zip.readUInt32LE(at + 18), zip.readUInt16LE(at + 26)]
    names.push(zip.subarray(at + 30, at + 30 + length).toString())
    at += 30 + length + size
  }
  return names
}

/** A stand-in that keeps GeoServer's REST rules (docs/wire.md#files-and-layers): state, status codes, what it refuses. */
export const startGeoserver = async (username = 'admin', password = 'geoserver') => {
  const workspaces = new Set<string>()
  const stores = new Map<string, { granules: string[]; time: boolean }>()
  const requests: string[] = []
  let failures = 0
  const answer = (method: string, path: string, type: string, body: Buffer): [number, string?] => {
    if (path === 'workspaces' && method === 'POST') {
      const name = /<name>([^<]+)<\/name>/.exec(body.toString())?.[1]
      if (!name) return [400, 'no name']
      if (workspaces.has(name)) return [409, `Workspace '${name}' already exists`]
      workspaces.add(name)
      return [201, name]
    }
    const [, workspace, rest] = /^workspaces\/([^/?]+)(?:\/(.*))?$/.exec(path) ?? []
    if (!workspace || !workspaces.has(workspace))
      return [404, `No such workspace: '${workspace}' found`]
    if (rest === undefined) return method === 'GET' ? [200, '{}'] : [405]
    const [, store, action] = /^coveragestores\/([^/?]+?)(?:\.json)?(?:\/(.*))?$/.exec(rest) ?? []
    if (!store) return [404]
    const key = `${workspace}:${store}`
    if (action === undefined)
      return stores.has(key) ? [200, '{}'] : [404, `No such coverage store: ${key}`]
    if (action.startsWith('file.imagemosaic')) {
      if (type !== 'application/zip') return [415, `Unsupported Media Type ${type}`]
      const names = entriesOf(body)
      const tif = names.find((name) => name.endsWith('.tif'))
      if (!tif) return [500, 'no granule']
      if (names.includes('indexer.properties') && !/\d{4}-\d{2}-\d{2}/.test(tif))
        return [500, 'no time in the name']
      if (method === 'POST') {
        stores.get(key)?.granules.push(tif)
        return stores.has(key) ? [202] : [404]
      }
      stores.set(key, { granules: [tif], time: false })
      return [201]
    }
    if (method === 'PUT' && action === `coverages/${store}`) {
      const found = stores.get(key)
      if (!found) return [404]
      found.time = body.toString().includes('<entry key="time">')
      return [200]
    }
    return [404]
  }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      const path = request.url!.replace(/^\/geoserver\/rest\//, '')
      requests.push(`${request.method} ${path}`)
      const wanted = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
      const [status, text = ''] =
        failures-- > 0
          ? ([503, 'starting'] as const)
          : request.headers.authorization !== wanted
            ? ([401, 'Unauthorized'] as const)
            : answer(
                request.method!,
                path,
                request.headers['content-type'] ?? '',
                Buffer.concat(chunks),
              )
      response.writeHead(status).end(text)
    })
  })
  await new Promise<void>((listening) => server.listen(0, '0.0.0.0', listening))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/geoserver`,
    workspaces,
    stores,
    requests,
    failNext: (count: number) => void (failures = count),
    close: () => server.close(),
  }
}
