import { expect, test } from 'vitest'
import { inPlace, merged } from './layers.ts'
import { placesOf } from './unpublish.ts'

test('the box around all, also across 180 degrees and beside such a one', () => {
  expect(
    merged([
      [1, 2, 3, 4],
      [-1, 3, 2, 9],
    ]),
  ).toEqual([-1, 2, 3, 9])
  expect(
    merged([
      [179, 0, -179, 1],
      [178, -1, 179.5, 0],
    ]),
  ).toEqual([178, -1, -179, 1])
  expect(
    merged([
      [179, 0, -179, 1],
      [-179.5, 0, -178, 2],
    ]),
  ).toEqual([179, 0, -178, 2])
})

test('a layer that is published again keeps its place', () => {
  const layers = (...titles: string[]) => titles.map((t) => ({ uri: t[0]!, title: t }))
  expect(inPlace(layers('a1', 'b1'), layers('a2', 'c2'))).toEqual(layers('a2', 'b1', 'c2'))
})

test("what goes with an inference: its own layers, recorded or begun, and nobody else's", () => {
  const entries = [
    { workspace: 'geofm', layer_name: 'pred' },
    { workspace: '../x', layer_name: 'pred' },
  ]
  const uris = ['geofm:id-pred', 'geofm:id-shapes-3', 'geofm:other-pred', 'nonsense', null]
  expect(placesOf('id', entries, uris, [0, 7]).map(({ name }) => name)).toEqual([
    'id-pred',
    'id-pred-7',
    'id-shapes-3',
  ])
})
