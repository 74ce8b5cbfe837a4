import { z } from 'zod'
import type { AnyRoute } from './routing.ts'

const COMMON: Record<number, string> = {
  401: 'Not authenticated',
  422: 'The request is not valid; `detail` names each field',
  429: 'Rate limit exceeded',
  503: 'Postgres or the object store is away; try again',
}
const DETAIL = { type: 'object', required: ['detail'], properties: { detail: {} } }

const schemaOf = (schema: z.ZodType): Record<string, unknown> => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return rest
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
  const content = { 'application/json': { schema: schemaOf(route.body) } }
  return { requestBody: { required: !route.bodyOptional, content } }
}

const responsesOf = (route: AnyRoute) => {
  const more = route.multipart ? { 413: 'Too large' } : {}
  const all = {
    ...(route.open ? { 422: COMMON[422]!, 503: COMMON[503]! } : COMMON),
    ...(route.body ? { 413: 'Too large' } : {}),
    ...more,
    ...route.responses,
  }
  return Object.fromEntries(
    Object.entries(all).map(([status, description]) => {
      const empty = ['204', '304'].includes(status)
      const type =
        Number(status) < 400 ? (route.contentType ?? 'application/json') : 'application/json'
      const schema =
        Number(status) >= 400
          ? DETAIL
          : type === 'application/json'
            ? { type: 'object' }
            : { type: 'string' }
      return [status, { description, ...(empty ? {} : { content: { [type]: { schema } } }) }]
    }),
  )
}

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
        operationId: `${route.method}_${route.path.replace(/\W+/g, '_').replace(/^_|_$/g, '')}`,
        ...(route.open ? { security: [] } : {}),
        parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query')],
        ...bodyOf(route),
        responses: responsesOf(route),
      },
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'geodag', version, description: 'Earth-observation inference on Dagger' },
    paths,
    security: [{ apiKey: [] }, { bearer: [] }],
    components: {
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        bearer: { type: 'http', scheme: 'bearer' },
      },
    },
  }
}
