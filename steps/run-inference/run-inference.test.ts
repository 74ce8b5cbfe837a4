import { expect, test } from 'vitest'
import type { PlanContext } from '../plan-context.ts'
import { contract } from './contract.ts'

const server = { url: 'http://vllm:8000/pooling', model: 'flood-1' }
const band = (index: number) => ({
  ...{ index, band_name: `B${index}`, scaling_factor: 1, RGB_band: null },
})
const context = (more: Partial<PlanContext> = {}): PlanContext => ({
  ...{ task_id: 't', inference_id: 'i', model: 'm', inference: null, server, layers: [] },
  ...{ input_spec: [{ bands: [band(0)] }], post_processing: {}, options: {}, date: '2024-02-01' },
  ...{ source: { kind: 'scene', scenes: [{ modality: null, file: 'a.tif' }] } },
  ...more,
})
const planned = (more: Partial<PlanContext> = {}) =>
  contract.parameters.parse(contract.plan(context(more)))

test('a model with a server and without weights runs there, under its internal name', () => {
  expect(planned()).toMatchObject({
    ...{ url: server.url, model: 'flood-1', data_format: 'url', out_data_format: 'b64_json' },
    ...{ date: '2024-02-01', allow_private_hosts: false },
  })
  expect(planned({ inference: { served_model: 'org/flood' } }).model).toBe('org/flood')
  const runs = (inference: unknown, at: typeof server | null = server) =>
    contract.runs!(context({ inference, server: at }))
  expect([
    runs(null),
    runs({ served_model: 'x' }),
    runs({ weights: {} }),
    runs(null, null),
  ]).toEqual([true, true, false, false])
})

test("only the operator's own servers may be private", () => {
  const allowed = (modelServers: string[]) =>
    planned({ options: { modelServers } }).allow_private_hosts
  expect(allowed(['http://vllm:8000'])).toBe(true)
  expect(allowed(['http://vllm:8001', 'https://vllm:8000'])).toBe(false)
})

test('an upload bears the day, so that no other date in its URL is taken for it', () => {
  expect(contract.uploads!(planned())).toEqual(['model_input_0_20240201T000000.tif'])
  expect(contract.uploads!(planned({ inference: { data_format: 'b64_json' } }))).toEqual([])
  const specs = ['S2', 'S1'].map((modality_tag) => ({ modality_tag, bands: [band(0)] }))
  expect(contract.uploads!(planned({ input_spec: specs, date: null }))).toEqual([
    'model_input_S2.tif',
    'model_input_S1.tif',
  ])
})
