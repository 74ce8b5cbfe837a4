import { z } from 'zod'
import { answerSchemas, errorSchema, type Told } from './answers.ts'
import type { AnyRoute } from './routing.ts'

const COMMON: Record<number, string> = {
  401: 'Not authenticated',
  422: 'The request is not valid; `detail` names each field',
  429: 'Rate limit exceeded',
  503: 'Postgres or the object store is away; try again',
}
const TAGS: Readonly<Record<string, string>> = {
  'API keys': 'Keys of one user, two at most; they end after 90 days',
  Models: 'What a model is: its steps, input, layers and weights, as metadata',
  Inference: 'A model run over a place and a time: tasks, steps, their state',
  Tasks: 'Outputs and logs of one scene or tile',
  'Generic processors': 'Python scripts of users, run in a sandbox as a step',
  Tunes: 'Fine-tuned models',
  Data: 'Catalogues, the days that have scenes, and files of users',
  Notifications: 'What has happened to an inference, kept and as it happens',
  Groups: 'Who shares what with whom',
}
const JSON_TYPE = 'application/json'
const uri = (id: string): string => `#/components/schemas/${id}`

const schemaOf = (schema: z.ZodType): Record<string, unknown> => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return rest
}

/** Every named schema, each once; those within others are references. */
const components = (): Record<string, unknown> => {
  const { schemas } = z.toJSONSchema(answerSchemas, { io: 'input', unrepresentable: 'any', uri })
  return Object.fromEntries(
    Object.entries(schemas)
      .map(([id, { $schema: _s, $id: _i, ...schema }]) => [id, schema] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}
interface Shape {
  properties?: Record<string, Record<string, unknown>>
  required?: string[]
}
const parameters = (schema: z.ZodType | undefined, place: 'path' | 'query') => {
  if (!schema) return []
  const { properties = {}, required = [] } = schemaOf(schema) as Shape
  return Object.entries(properties).map(([name, { default: _, ...shape }]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: shape,
  }))
}

const bodyOf = (route: AnyRoute) => {
  if (route.multipart) {
    const properties = Object.fromEntries(
      Object.entries(route.multipart).map(([name, kind]) => [
        name,
        kind === 'file' ? { type: 'string', format: 'binary' } : { type: 'string' },
      ]),
    )
    const schema = { type: 'object', required: Object.keys(properties), properties }
    return { requestBody: { required: true, content: { 'multipart/form-data': { schema } } } }
  }
  if (!route.body) return {}
  const example = route.example === undefined ? {} : { example: route.example }
  const content = { [JSON_TYPE]: { schema: schemaOf(route.body), ...example } }
  return { requestBody: { required: !route.bodyOptional, content } }
}

const EXAMPLES: Record<number, unknown> = {
  401: 'Provide a valid Authorization or X-Api-Key header.',
  422: [{ type: 'missing', loc: ['body', 'display_name'], msg: 'Field required', input: {} }],
  429: [{ msg: 'Rate limit exceeded. Allowed 200 requests in 60 seconds.' }],
}

const contentOf = (route: AnyRoute, status: number, answer: string | Told) => {
  if (status >= 400) {
    const example = { detail: EXAMPLES[status] ?? (answer as string) }
    return { [JSON_TYPE]: { schema: { $ref: uri(answerSchemas.get(errorSchema)!.id) }, example } }
  }
  if (typeof answer === 'string')
    return route.contentType && status === 200
      ? { [route.contentType]: { schema: { type: 'string' } } }
      : undefined
  const name = answerSchemas.get(answer.schema)?.id
  if (!name) throw new Error(`${route.method} ${route.path}: the schema of ${status} has no name`)
  return { [JSON_TYPE]: { schema: { $ref: uri(name) }, example: answer.example } }
}

const responsesOf = (route: AnyRoute) => {
  const all: Record<number, string | Told> = {
    ...(route.open ? { 422: COMMON[422]!, 429: COMMON[429]!, 503: COMMON[503]! } : COMMON),
    ...(route.body || route.multipart ? { 413: 'Too large' } : {}),
    ...route.responses,
  }
  return Object.fromEntries(
    Object.entries(all).map(([status, answer]) => {
      const content = contentOf(route, Number(status), answer)
      const description = typeof answer === 'string' ? answer : answer.description
      return [status, { description, ...(content ? { content } : {}) }]
    }),
  )
}

const operationId = ({ method, path }: AnyRoute): string =>
  `${method}_${path.replace(/\W+/g, '_').replace(/^_|_$/g, '')}`

/** OpenAPI 3.1, made from the routes that are served. */
export const openapi = (routes: readonly AnyRoute[], version: string) => {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    const path = route.path.replace(/:([a-z_]+)/g, '{$1}')
    paths[path] = {
      ...paths[path],
      [route.method]: {
        tags: [route.tag],
        summary: route.summary,
        operationId: operationId(route),
        ...(route.open ? { security: [] } : {}),
        parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query')],
        ...bodyOf(route),
        responses: responsesOf(route),
      },
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'geodag',
      version,
      description: 'Earth-observation inference on Dagger',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({
      name,
      description: TAGS[name] ?? name,
    })),
    paths,
    security: [{ apiKey: [] }, { bearer: [] }],
    components: {
      schemas: components(),
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        bearer: { type: 'http', scheme: 'bearer' },
      },
    },
  }
}
