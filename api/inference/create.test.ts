import { expect, test } from 'vitest'
import { parseBuckets } from '../../connectors/buckets.ts'
import { HttpError } from '../http/errors.ts'
import { checkBuckets } from './create.ts'
import { inferenceInput } from './schema.ts'

const account = { accessKeyId: 'a', secretAccessKey: 'b', region: 'eu-central-1' }
const own = parseBuckets(JSON.stringify([{ ...account, bucket: 'scenes', prefix: 'team/' }]))
const asked = (...urls: unknown[]) =>
  inferenceInput.parse({
    model_display_name: 'm',
    spatial_domain: { urls },
    temporal_domain: [],
  })
const refused = (...urls: unknown[]): unknown => {
  try {
    checkBuckets(own, asked(...urls))
    return undefined
  } catch (error) {
    return ((error as HttpError).detail as { loc: unknown }[])[0]!.loc
  }
}
const HTTP = 'https://host.example.org/a.tif'

test('a scene in a bucket of the operator is taken; in another, or beside the prefix, it is refused by place', () => {
  expect(refused(HTTP, 's3://scenes/team/a.tif')).toBeUndefined()
  expect(refused({ S2: 's3://scenes/team/a.tif', S1: HTTP })).toBeUndefined()
  const at = (...more: unknown[]) => ['body', 'spatial_domain', 'urls', ...more]
  expect(refused(HTTP, 's3://others/team/a.tif')).toEqual(at(1))
  expect(refused('s3://scenes/a.tif')).toEqual(at(0))
  expect(refused('s3://scenes/team/../a.tif')).toEqual(at(0))
  expect(refused({ S2: HTTP, S1: 's3://scenes/other/a.tif' })).toEqual(at(0, 'S1'))
})
