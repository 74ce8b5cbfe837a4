import { readFileSync, writeFileSync } from 'node:fs'
import openapiTS, { astToString } from 'openapi-typescript'
import { createApp } from '../api/app.ts'
import { readConfig } from '../api/config.ts'

/**
 * `npm run api-types`: the types of the page's requests, from the schemas of /openapi.json.
 * The document needs no database: nothing is asked of it.
 */
const PATH = new URL('../web/src/openapi.ts', import.meta.url)
const HEAD = '/* From /openapi.json by `npm run api-types`; a test holds it to the document. */\n'

export const apiTypes = async (): Promise<string> => {
  const nothing = {} as never
  const { document } = createApp({
    config: readConfig({ SIGNING_KEY: 'no-secret-'.repeat(4), DATABASE_URL: 'postgres://none' }),
    ...{ db: nothing, store: nothing, catalogue: nothing, listener: nothing },
    publicUrl: () => '',
  })
  const { openapi, info, components } = structuredClone(document) as Record<string, any>
  const schemas = { openapi, info, paths: {}, components: { schemas: components.schemas } }
  return HEAD + astToString(await openapiTS(schemas as never, { immutable: true }))
}
export const keptTypes = (): string => readFileSync(PATH, 'utf8')

if (process.argv[1] === import.meta.filename) writeFileSync(PATH, await apiTypes())
