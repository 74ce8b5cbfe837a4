import { expect, test } from 'vitest'
import { bucketOf, parseBuckets, signedObjects } from './buckets.ts'

const KEYS = { accessKeyId: 'AKIA', secretAccessKey: 'hidden-word' }
const ALL = parseBuckets(
  JSON.stringify([
    { bucket: 'scenes', prefix: 'public/', region: 'eu-central-1', ...KEYS },
    { bucket: 'scenes', prefix: 'public/new/', accessKeyId: 'NEWER', secretAccessKey: 'x' },
    { bucket: 'own', endpoint: 'http://minio:9000', ...KEYS },
  ]),
)

test('the bucket with the longest prefix signs, for Amazon and for a store of the operator', () => {
  const now = new Date('2024-06-10T00:00:00Z')
  const hrefs = ['s3://scenes/public/a b.tif', 's3://scenes/public/new/c.tif', 's3://own/d.tif']
  const signed = signedObjects(hrefs, ALL, now)
  const [amazon, newer, own] = hrefs.map((href) => new URL(signed[href]!))
  expect(amazon!.origin + amazon!.pathname).toBe(
    'https://s3.eu-central-1.amazonaws.com/scenes/public/a%20b.tif',
  )
  expect(amazon!.searchParams.get('X-Amz-Expires')).toBe('43200')
  expect(newer!.searchParams.get('X-Amz-Credential')).toMatch(/^NEWER\//)
  expect(own!.origin + own!.pathname).toBe('http://minio:9000/own/d.tif')
  expect(Object.values(signed).join()).not.toContain('hidden-word')
})

test.each([
  's3://other/public/a.tif',
  's3://scenes/private/a.tif',
  's3://scenes/public/../private/a.tif',
  's3://scenes/public//a.tif',
  's3://scenes/public/./a.tif',
  's3://scenes',
  's3://user@scenes/public/a.tif',
  'https://scenes/public/a.tif',
])('%s is out of reach', (href) => {
  expect(bucketOf(href, ALL)).toBeUndefined()
  expect(() => signedObjects([href], ALL)).toThrow('connector.missing_credentials')
})

test.each([
  ['{', /must be a JSON list/],
  ['{"bucket": "a"}', /expected array/],
  [JSON.stringify([{ bucket: 'UP', ...KEYS }]), /0\.bucket: the name of a bucket/],
  [JSON.stringify([{ bucket: 'scenes', accessKeyId: 'a' }]), /0\.secretAccessKey/],
  [JSON.stringify([{ bucket: 'scenes', endpoint: 'file:///x', ...KEYS }]), /0\.endpoint/],
])('a wrong setting is named without its secrets', (text, message) => {
  expect(() => parseBuckets(text)).toThrow(message)
  try {
    parseBuckets(text)
  } catch (error) {
    expect(String(error)).not.toContain('hidden-word')
  }
})
