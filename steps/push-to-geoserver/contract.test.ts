import { expect, test } from 'vitest'
import type { PlanContext } from '../plan-context.ts'
import { contract } from './contract.ts'

const entry = (n: number) => ({
  ...{ workspace: 'geofm', layer_name: `l${n}`, display_name: `L${n}`, geoserver_style: '' },
  ...{ filepath_key: 'original_input_image', file_suffix: '' },
})
const context = (more: Partial<PlanContext>): PlanContext => ({
  ...{ inference_id: 'i', model: 'm', inference: null, input_spec: [], post_processing: {} },
  ...{ task_id: 'i-task_0', source: { kind: 'scene', scenes: [] }, date: null, options: {} },
  layers: [entry(0), entry(1)],
  ...more,
})
const plan = (more: Partial<PlanContext>) => contract.parameters.parse(contract.plan(context(more)))

test('an http URL without a password in it, or null', () => {
  const accepts = (url: unknown) =>
    contract.parameters.safeParse({ url, layer_prefix: 'i', layers: [] }).success
  const urls = [null, 'https://h/geoserver', 'file:///x', 'https://admin:secret@h/geoserver']
  expect(urls.map(accepts)).toEqual([true, true, false, false])
})

test('names that GeoServer cannot bear are refused, and an id of the own is made one', () => {
  const layer = (workspace: string) => ({ ...entry(0), workspace })
  for (const workspace of ['a b', 'a.json', '1a', 'a<b', 'a:b'])
    expect(() => plan({ layers: [layer(workspace)] }), workspace).toThrow('workspace')
  for (const layer_name of ['a b', 'a:b', 'pr\u00e9d', '../x', 'x'.repeat(300)])
    expect(() => plan({ layers: [{ ...entry(0), layer_name }] }), layer_name).toThrow('layer_name')
  expect(plan({ inference_id: 'my run/1' }).layer_prefix).toBe('my_run_1')
})

test('two files under one name are refused: the second would take the first one away', () => {
  const other = { ...entry(0), filepath_key: 'model_output_image' }
  expect(() => plan({ layers: [entry(0), other] })).toThrow(/geoserver\.same_layer: .*geofm:l0/)
  expect(plan({ layers: [entry(0), { ...other, workspace: 'w2' }] }).layers).toHaveLength(2)
  // The same file twice is one layer; as delivered, each entry is of a scene of its own.
  expect(plan({ layers: [entry(0), entry(0)] }).layers).toHaveLength(2)
  const delivered = { as_delivered: true, task_count: 2, layers: [entry(0), entry(0)] }
  expect(() => plan(delivered)).toThrow('geoserver.same_layer')
})

test('a style that GeoServer could not draw by is told when the run is planned', () => {
  const layers = [{ ...entry(0), geoserver_style: { segmentation: [{ color: 'red' }] } }]
  expect(() => plan({ layers })).toThrow(/geoserver\.bad_style: .*segmentation\[0\]\.color/)
})

test('scenes that are published as they came: the n-th entry is of the n-th URL', () => {
  const of = (n: number) => plan({ task_id: `i-task_${n}`, as_delivered: true, task_count: 2 })
  expect(
    [of(0), of(1)].map(({ layers, alone }) => [layers.length, layers[0]!.layer_name, alone]),
  ).toEqual([
    [1, 'l0', true],
    [1, 'l1', true],
  ])
  const third = () => plan({ task_id: 'i-task_2', as_delivered: true, task_count: 3 })
  expect(third).toThrow('geoserver.no_entry')
  const modelled = plan({ task_id: 'i-task_1', task_count: 2 })
  expect([modelled.layers.length, modelled.task, modelled.alone]).toEqual([2, 1, false])
})
