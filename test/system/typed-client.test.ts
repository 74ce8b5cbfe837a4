import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Client, type Service, startService } from '../support/api.ts'
import { closed, typesOf, withoutTypes, writeClient } from '../support/document.ts'
import { root } from '../support/engine.ts'

let service: Service
let anna: Client
beforeAll(async () => {
  service = await startService()
  anna = await service.client((await service.launch('api')).url, 'anna@example.org')
})
afterAll(() => service.close())

test('a client on the types of /openapi.json: dry run, submit, list, tasks, cancel', async () => {
  const folder = mkdtempSync(join(root, 'node_modules/.geodag-types-'))
  try {
    const { body: document } = await anna.get('/openapi.json')
    const client = readFileSync(join(root, 'test/typescript/client.ts'), 'utf8')
    const program = writeClient(folder, await typesOf(document), client)
    const run = [withoutTypes(program), anna.url, anna.key]
    const { stdout } = await promisify(execFile)(process.execPath, run)
    expect(JSON.parse(stdout)).toEqual({
      planned: 1,
      statuses: ['PENDING'],
      total: 1,
      steps: ['inference-planner'],
      told: expect.stringContaining('Cancel inference request accepted'),
      names: expect.arrayContaining(['tiny-water']),
      missing: [404, 'Model not found'],
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('the document says where its server is, on both mounts', async () => {
  const { body: own } = await anna.get('/openapi.json')
  const { body: mounted } = await anna.get('/studio-gateway/openapi.json')
  expect([own.servers, mounted.servers]).toEqual([[{ url: '/' }], [{ url: '/studio-gateway/' }]])
  expect(closed(own).components.schemas.Model.additionalProperties).toBe(false)
})
