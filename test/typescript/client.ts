import createClient from 'openapi-fetch'
import type { components, paths } from './geodag.ts'

/**
 * What a user of the generated types writes; the test compiles it beside them and runs it.
 *
 * Arguments: the API's URL, an API key. Prints what it has read, as JSON.
 */
const [baseUrl = '', key = ''] = process.argv.slice(2)
const geodag = createClient<paths>({ baseUrl, headers: { 'X-API-Key': key } })

const got = <T>({ data, error }: { data?: T; error?: components['schemas']['Error'] }): T => {
  if (data === undefined) throw new Error(JSON.stringify(error?.detail))
  return data
}

const asked = {
  model_display_name: 'tiny-water',
  spatial_domain: { urls: ['https://host.example.org/2024-01-01_scene.tif'] },
  temporal_domain: ['2024-01-01'],
}
const { plan } = got(await geodag.POST('/v2/inference/dry-run', { body: asked }))
const made = got(await geodag.POST('/v2/inference', { body: asked }))
const inference: components['schemas']['Inference'] = made
const path = { id: inference.id }
const listed = got(await geodag.GET('/v2/inference', { params: { query: { limit: '5' } } }))
const { tasks } = got(await geodag.GET('/v2/inference/{id}/tasks', { params: { path } }))
const cancelled = got(await geodag.POST('/v2/inference/{id}/cancel', { params: { path } }))
const models = got(await geodag.GET('/v2/models'))
const missing = await geodag.GET('/v2/models/{id}', { params: { path } })

// The types refuse what the API would: a compiler that takes these has lost them.
// @ts-expect-error temporal_domain is required
void ((): unknown => geodag.POST('/v2/inference', { body: { spatial_domain: {} } }))
// @ts-expect-error no such field in the answer
void made.no_such_field
// @ts-expect-error a number, not a text
void (inference.tasks_count_total satisfies string)

console.log(
  JSON.stringify({
    planned: plan.totals?.tasks,
    statuses: listed.results.map(({ status }) => status),
    total: listed.total_records,
    steps: tasks.flatMap((task) => task.pipeline_steps.map((step) => step.process_id)),
    told: cancelled.msg,
    names: models.results.map(({ display_name }) => display_name),
    missing: [missing.response.status, missing.error?.detail],
  }),
)
