import { expect, test } from 'vitest'
import { S2, SCL, specOf } from '../test/support/input-specs.ts'
import { splitSpecs } from './mask-spec.ts'
import type { InputSpec } from './plan-context.ts'

const run = (more: object = {}) => ({ inference: { weights: {}, ...more }, server: null })

test('a class band in a spec of its own is for masks, and called as its band', () => {
  expect(splitSpecs([S2, SCL], run())).toEqual({
    input_spec: [S2],
    mask_spec: { ...SCL, modality_tag: 'SCL' },
  })
  const named = specOf('S2 classes', 'scl')
  expect(splitSpecs([named, S2], run())).toEqual({ input_spec: [S2], mask_spec: named })
  const server = { inference: null, server: { url: 'http://s', model: 'm' } }
  expect(splitSpecs([S2, SCL], server).input_spec).toEqual([S2])
})

test('what the model names itself, or has nothing else to read, it reads', () => {
  const whole = (more: object, ...specs: InputSpec[]) =>
    expect(splitSpecs(specs, run(more))).toEqual({ input_spec: specs })
  whole({ bands: ['blue', 'scl'] }, S2, SCL)
  whole({ inputs: [{ name: 'classes' }] }, S2, specOf('classes', 'Fmask'))
  whole({}, SCL)
  whole({}, S2, specOf('S1', 'VV'))
  whole({}, specOf(null, 'red', 'SCL'))
  whole({}, S2, { modality_tag: 'any', bands: [] })
  // Without a model a script reads what it likes.
  expect(splitSpecs([S2, SCL], { inference: null, server: null })).toEqual({
    input_spec: [S2, SCL],
  })
})

test('one that an item of urls names by its band needs no spec', () => {
  const items = [
    { S2L2A: 'a', scl: 'b' },
    { S2L2A: 'c', scl: 'd' },
  ] as const
  const { input_spec, mask_spec } = splitSpecs([S2], run(), items)
  expect([input_spec, mask_spec?.modality_tag]).toEqual([[S2], 'scl'])
  expect(splitSpecs([S2], run(), ['a'])).toEqual({ input_spec: [S2] })
  expect(splitSpecs([S2, specOf('S1', 'VV')], run(), [{ S2L2A: 'a', S1: 'b' }])).not.toHaveProperty(
    'mask_spec',
  )
  expect(() => splitSpecs([S2, SCL], run(), [{ S2L2A: 'a', Fmask: 'b' }])).toThrow(
    /request\.modalities: SCL and Fmask/,
  )
})
