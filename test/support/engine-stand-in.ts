import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const LOG = 'window 12 of 48, 3.1 s\n'.repeat(200)
const result = () =>
  JSON.stringify({
    ...{ status: 'FINISHED', error: null, started_at: new Date().toISOString(), seconds: 0.1 },
    ...{ artifacts: { model_output_image: 'a_pred.tif' }, details: { bbox: [1, 2, 3, 4] } },
  })

/** Field names of a query from its root to its one leaf, without their arguments. */
const fieldsOf = (query: string): string[] => {
  let plain = query.replace(/"(?:[^"\\]|\\.)*"/g, '""')
  for (let before = ''; before !== plain;) plain = (before = plain).replace(/\([^()]*\)/g, '')
  return (plain.match(/\w+/g) ?? []).filter((name) => name !== 'query')
}

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** What a leaf answers: a file's text, an id, or, of `export`, the files that a task would leave. */
const valueOf = (leaf: string, query: string): unknown => {
  if (leaf === 'contents') return query.includes('result.json') ? result() : LOG
  if (leaf === 'entries') return []
  if (leaf !== 'export') return `${leaf}-of-the-stand-in`
  const [, path] = /export\s*\(\s*path:\s*"([^"]+)"/.exec(query)!
  mkdirSync(path!, { recursive: true })
  for (const name of ['a_pred.tif', 'a_rgb.tif', 'archive.zip'])
    writeFileSync(join(path!, name), Buffer.alloc(64 * 1024, name))
  return path
}

/**
 * The other end of a runner's Dagger sessions, for benches of the runner itself: a CLI that names a
 * port, as `dagger session` does, and a GraphQL server there which answers any query of the SDK at
 * once. Nothing is run: it says nothing of an engine.
 */
export const startEngineStandIn = async () => {
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const { query } = JSON.parse(body) as { query: string }
      const fields = fieldsOf(query)
      let data: unknown = valueOf(fields.at(-1)!, query)
      for (const field of fields.toReversed()) data = { [field]: data }
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ data }))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  const folder = mkdtempSync(join(tmpdir(), 'geodag-cli-'))
  const cli = join(folder, 'dagger')
  // Like the real one it ends when its stdin does, and tells its progress on stderr.
  const said = JSON.stringify({ port, session_token: 'token' })
  writeFileSync(
    cli,
    `#!/bin/sh\necho '${said}'\necho '14 : ┆ [1.2s] | a line' >&2\ncat >/dev/null\n`,
  )
  chmodSync(cli, 0o755)
  return {
    settings: { _EXPERIMENTAL_DAGGER_CLI_BIN: cli },
    stop: () => {
      server.closeAllConnections()
      server.close()
      rmSync(folder, { recursive: true })
    },
  }
}
