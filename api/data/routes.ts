import { z } from 'zod'
import { told } from '../http/answers.ts'
import { fail, paging, type Router } from '../http/routing.ts'
import { checkUploads, uploadKey } from '../quota/uploads.ts'
import { LIFETIME, type Store } from '../storage/store.ts'
import { rowOf } from '../../connectors/catalogue.ts'
import { connectorFor } from '../../connectors/connector.ts'
import { ConnectorError } from '../../connectors/errors.ts'
import type { Config } from '../config.ts'
import { advise, adviceInput } from './advice.ts'
import { aScene, aSource, collectionNames, dataAdvice, dataSources, fileShare } from './answers.ts'

const tag = 'Data'
const params = z.object({ connector: z.string().max(100) })
/** GEOStudio's own, whose dot stands for any character; of those only what needs no care in a URL. */
const OBJECT_NAME = /^[a-zA-Z0-9-_]+[a-zA-Z0-9-_.][a-z]+$/
const advice = '/v2/data-advice/:connector'

/** A catalogue that cannot be searched, in the two shapes that clients know. */
const refused = (error: unknown): never => {
  if (!(error instanceof ConnectorError)) throw error
  if (error.code === 'connector.missing_credentials')
    return fail(401, [{ msg: 'Error: Missing credentials' }])
  if (error.code === 'connector.bad_credentials')
    return fail(401, [{ msg: `Error: ${error.message}` }])
  return fail(422, [{ msg: `The catalogue could not be searched: ${error.message}` }])
}

/** `/v2/data-sources`, `/v2/data-advice`, `/v2/file-share`. */
export const dataRoutes = (
  router: Router,
  { store, config }: { store: Store; config: Config },
): void => {
  const { rows, credentials } = config.catalogue
  const sources = rows.map(({ source }) => source)
  const collections = (connector: string): string[] => {
    const names = sources
      .filter((one) => one.connector === connector)
      .map((one) => one.collection_name)
    const known = [...new Set(sources.map((one) => one.connector))].join(', ')
    return names.length
      ? names
      : fail(400, `Unknown data connector ${connector}: use one of ${known}.`)
  }
  router.add(
    {
      ...{
        method: 'get',
        path: '/v2/data-sources',
        tag,
        summary: 'Collections that models may name',
      },
      query: z.object({
        connector: z.string().optional(),
        collection: z.string().optional(),
        ...paging,
      }),
      responses: { 200: told('Data sources', dataSources, { results: [aSource] }) },
    },
    ({ reply, query }) => {
      const { connector, collection, limit, skip } = query
      // What no client of old knows is answered to who asks for it by name.
      const results = rows
        .filter((one) => (connector ? one.source.connector === connector : one.listed))
        .map(({ source }) => source)
        .filter((one) => !collection || one.collection_name === collection)
        .slice(skip, skip + limit)
      return reply.json(200, { results })
    },
  )
  router.add(
    {
      ...{ method: 'get', path: advice, tag, summary: "A connector's collections" },
      params,
      responses: {
        200: told('Names', collectionNames, { results: ['sentinel-2-l2a'] }),
        400: 'Unknown connector',
      },
    },
    ({ reply, params }) => reply.json(200, { results: collections(params.connector) }),
  )
  router.add(
    {
      ...{ method: 'post', path: advice, tag, summary: 'Which days have scenes' },
      params,
      body: adviceInput,
      example: {
        collections: ['sentinel-2-l2a'],
        dates: ['2024-08-01_2024-08-31'],
        bbox: [[-0.5, 41.5, -0.3, 41.7]],
        maxcc: 20,
      },
      responses: {
        200: told('Days and scenes', dataAdvice, { results: [aScene] }),
        400: 'Unknown connector',
      },
    },
    async ({ reply, params, body }) => {
      const names = collections(params.connector)
      const wrong = body.collections.find((name) => !names.includes(name))
      if (wrong !== undefined)
        return fail(422, [
          { msg: `Invalid collection '${wrong}'. Use one of ${names.join(', ')}.` },
        ])
      try {
        const connectors = body.collections.map((name) =>
          connectorFor(rowOf(params.connector, name, rows), {
            credentials,
            allowPrivateHosts: config.ALLOW_PRIVATE_HOSTS,
          }),
        )
        return reply.json(200, { results: await advise(connectors, body) })
      } catch (error) {
        return refused(error)
      }
    },
  )
  router.add(
    {
      ...{
        method: 'get',
        path: '/v2/file-share',
        tag,
        summary: 'URLs to upload and to share a file',
      },
      query: z.object({
        object_name: z.string().min(6).max(60).regex(OBJECT_NAME, 'a name such as scene.tif'),
      }),
      responses: {
        200: told('URLs', fileShare, {
          upload_url: 'https://host.example.org/v2/files/scene.tif?expires=1&signature=a',
          download_url: 'https://host.example.org/v2/files/scene.tif?expires=1&signature=b',
          message: 'Use upload_url to add data to a temporary storage.',
        }),
      },
    },
    async ({ reply, user, query }) => {
      await checkUploads(store, config, user)
      const key = uploadKey(user, query.object_name)
      return reply.json(200, {
        upload_url: await store.signPut(key, LIFETIME.share),
        download_url: await store.signGet(key, LIFETIME.share),
        message:
          'Use upload_url to add data to a temporary storage. download_url to share data after upload.',
      })
    },
  )
}
