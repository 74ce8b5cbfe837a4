import { expect, test } from 'vitest'
import type { Scene } from '../steps/plan-context.ts'
import { fanOut, NotListed } from './fan-out.ts'
import type { PlannedSource } from './scenes.ts'

const source = (...scenes: Partial<Scene>[]): PlannedSource => ({
  date: '2024-01-01',
  source: { kind: 'scene', scenes: scenes.map((scene) => ({ modality: null, ...scene })) },
})
const two = async () => [
  { member: 'a.tif', date: null },
  { member: 'b.tif', date: '2024-06-10' },
]

test('a zip of several scenes becomes a task each, by its ending before any query', async () => {
  const url = 'https://example.org/Scenes.ZIP?sig=a.tif'
  const given = [source({ url }), source({ file: 'a.tif' }), source({ file: 'b.zip' })]
  const found = await fanOut(given, two)
  expect(found).toEqual([
    source({ url, member: 'a.tif' }),
    { ...source({ url, member: 'b.tif' }), date: '2024-06-10' },
    source({ file: 'a.tif' }),
    source({ file: 'b.zip', member: 'a.tif' }),
    { ...source({ file: 'b.zip', member: 'b.tif' }), date: '2024-06-10' },
  ])
})

test('what is no zip, a member of one, or one of several modalities is not looked into', async () => {
  const given = [
    source({ url: 'https://example.org/a.tif?x=.zip' }),
    source({ file: 'a.zip', member: 'a.tif' }),
    source({ file: 'a.zip' }, { file: 'b.zip' }),
  ]
  expect(await fanOut(given, () => Promise.reject(new Error('asked')))).toEqual(given)
})

test('a zip of one scene, of none, or out of reach stays one task', async () => {
  const given = [source({ file: 'a.zip' })]
  expect(await fanOut(given, async () => (await two()).slice(1))).toEqual(given)
  expect(await fanOut(given, async () => [])).toEqual(given)
  const told: unknown[] = []
  const broken = () => Promise.reject(new Error('source.zip_bomb'))
  expect(await fanOut(given, broken, (_, error) => told.push(error))).toEqual(given)
  expect(told).toHaveLength(1)
})

test('where there is no engine to look into a zip nothing is planned: the plan would be another', async () => {
  const away = () => Promise.reject(new NotListed('no engine'))
  await expect(fanOut([source({ file: 'a.zip' })], away)).rejects.toThrow(NotListed)
})
