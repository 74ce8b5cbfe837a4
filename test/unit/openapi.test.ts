import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { expect, test } from 'vitest'
import { apiTypes, apiWithoutServices, keptTypes } from '../../scripts/api-types.ts'
import { compile, typesOf, writeClient } from '../support/document.ts'
import { root } from '../support/engine.ts'

const { routes, document } = apiWithoutServices()
const named = (method: string, path: string) => `${method.toUpperCase()} ${path}`

test('every route that answers JSON has a schema of its answer, and an example of it', () => {
  const [bare, wrong]: [string[], string[]] = [[], []]
  for (const { method, path, responses, contentType } of routes)
    for (const [status, answer] of Object.entries(responses)) {
      const name = `${named(method, path)} ${status}`
      if (typeof answer !== 'string') {
        if (!answer.schema.safeParse(answer.example).success) wrong.push(name)
      } else if (Number(status) < 300 && status !== '204' && !contentType) bare.push(name)
    }
  expect(routes.length).toBeGreaterThan(40)
  expect({ bare, wrong }).toEqual({ bare: [], wrong: [] })
})

test('every JSON body has an example that the route takes', () => {
  const bodies = routes.filter((route) => route.body)
  const wrong = bodies.filter(
    ({ body, example }) => example === undefined || !body!.safeParse(example).success,
  )
  expect(wrong.map(({ method, path }) => named(method, path))).toEqual([])
  expect(bodies.length).toBeGreaterThan(10)
})

test("Redocly's rules find nothing in the document", async () => {
  const problems = await lintFromString({
    source: JSON.stringify(document),
    absoluteRef: '/openapi.json',
    config: await createConfig({ extends: ['recommended'] }),
  })
  expect(problems.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([])
})

test('the types that openapi-typescript makes of it compile, with a client on them', async () => {
  // Below the root, where the compiler finds the client's packages.
  const folder = mkdtempSync(join(root, 'node_modules/.geodag-types-'))
  const client = readFileSync(join(root, 'test/typescript/client.ts'), 'utf8')
  try {
    expect(compile(writeClient(folder, await typesOf(document), client))).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
}, 120_000)

test('the page is typed by the document as it is now', async () => {
  expect(keptTypes(), 'npm run api-types').toBe(await apiTypes())
})
