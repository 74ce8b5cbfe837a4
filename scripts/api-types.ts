import { readFileSync, writeFileSync } from 'node:fs'
import openapiTS, { astToString } from 'openapi-typescript'
import { createApp } from '../api/app.ts'
import { readConfig } from '../api/config.ts'

/** The types of the page's requests, from the schemas of /openapi.json: `npm run api-types`. */
const PATH = new URL('../web/src/openapi.ts', import.meta.url)
const HEAD = '/* From /openapi.json by `npm run api-types`; a test holds it to the document. */\n'

/** The API for its routes and its document alone: nothing is asked of a database. */
export const apiWithoutServices = () => {
  const nothing = {} as never
  return createApp({
    config: readConfig({ SIGNING_KEY: 'no-secret-'.repeat(4), DATABASE_URL: 'postgres://none' }),
    ...{ db: nothing, store: nothing, catalogue: nothing, listener: nothing },
    publicUrl: () => '',
  })
}

export const apiTypes = async (): Promise<string> => {
  const { document } = apiWithoutServices()
  const { openapi, info, components } = structuredClone(document) as Record<string, any>
  const schemas = { openapi, info, paths: {}, components: { schemas: components.schemas } }
  return HEAD + astToString(await openapiTS(schemas as never, { immutable: true }))
}
export const keptTypes = (): string => readFileSync(PATH, 'utf8')

if (process.argv[1] === import.meta.filename) writeFileSync(PATH, await apiTypes())
