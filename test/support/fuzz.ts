import { execFile } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Client, SCRIPT, water } from './api.ts'
import { closed } from './document.ts'

const SCENE = 'https://example.org/scene.tif'

/** Things that exist, so that a generated request gets past "not found". */
const things = async (client: Client) => {
  const model = { display_name: 'fuzzed', pipeline_steps: [], model_input_data_spec: [] }
  const request = () => client.post('/v2/inference', water(SCENE))
  const ids = async (answers: Promise<{ body: { id: string } }>[]) =>
    (await Promise.all(answers)).map(({ body }) => body.id)
  const inferences = await ids([request(), request(), request(), request()])
  const tasks = await client.tasks(inferences[0]!)
  return {
    models: await ids([client.post('/v2/models', model)]),
    inferences,
    processors: await ids([client.processor(SCRIPT), client.processor(SCRIPT)]),
    groups: await ids(['a', 'b', 'c'].map((name) => client.post('/v2/groups', { name }))),
    tasks: tasks.map((task) => task.task_id as string),
    steps: tasks[0].pipeline_steps.map((step: any) => step.process_id as string),
    tunes: ['geotune-tiny-water'],
    names: ['tiny-water'],
    urls: [SCENE],
  }
}

/** Which path and body fields take which of those, most of the time. */
const BINDINGS: [string, Record<string, string>][] = [
  ['/v2/notifications$', { 'body.event_id': 'inferences' }],
  ['/v2/models/\\{', { 'path.id': 'models' }],
  ['/v2/inference/\\{', { 'path.id': 'inferences' }],
  ['/v2/generic-processor/\\{', { 'path.id': 'processors' }],
  ['/v2/groups/\\{', { 'path.id': 'groups', 'body.artifact_id': 'inferences' }],
  ['/v2/tasks/\\{', { 'path.task_id': 'tasks', 'path.step_id': 'steps' }],
  ['/v2/tunes/\\{', { 'path.tune_id': 'tunes' }],
  [
    '(/v2/inference|dry-run|try-out)$',
    { 'body.model_display_name': 'names', 'body.spatial_domain.urls.[*]': 'urls' },
  ],
]

const configOf = (dictionaries: Record<string, string[]>): string => {
  const lists = Object.entries(dictionaries).map(
    ([name, values]) => `[dictionaries.${name}]\nvalues = ${JSON.stringify(values)}\n`,
  )
  const bindings = BINDINGS.map(([path, fields]) =>
    [
      '[[operations]]',
      `include-path-regex = '${path}'`,
      '[operations.parameters]',
      ...Object.entries(fields).map(
        ([field, dictionary]) => `"${field}" = { dictionary = "${dictionary}", probability = 0.8 }`,
      ),
    ].join('\n'),
  )
  return [...lists, ...bindings].join('\n')
}

/** What schemathesis made of an API: its exit code (null when it ran too long) and its words. */
export const fuzz = async (client: Client, email: string, token: string, bin: string) => {
  const folder = mkdtempSync(join(tmpdir(), 'geodag-fuzz-'))
  writeFileSync(join(folder, 'schemathesis.toml'), configOf(await things(client)))
  const document = join(folder, 'openapi.json')
  writeFileSync(document, JSON.stringify(closed((await client.get('/openapi.json')).body)))
  const checks = ['status_code_conformance', 'content_type_conformance']
  const args = [
    ...['run', document, '--url', client.url],
    ...['--checks', ['not_a_server_error', ...checks, 'response_schema_conformance'].join()],
    ...['--max-examples', '15', '--generation-deterministic'],
    // By a trusted proxy's word: it takes ids from answers, and removes every API key that it finds.
    ...['-H', `X-Forwarded-Email: ${email}`, '-H', `X-Internal-Token: ${token}`],
    ...['--exclude-path', '/v2/async/notify/{event_id}'],
    // One: hypothesis moves Python's recursion limit, on which ast.parse in a second thread falls.
    ...['--workers', '1'],
  ]
  const options = { cwd: folder, maxBuffer: 1e8, timeout: 600_000 }
  const done = await promisify(execFile)(join(bin, 'schemathesis'), args, options).catch(
    (error) => error as { stdout: string; stderr: string; code: number },
  )
  return { code: 'code' in done ? done.code : 0, words: done.stdout + done.stderr }
}
