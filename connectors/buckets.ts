import { z } from 'zod'
import { ConnectorError } from './errors.ts'
import { presigned } from './sigv4.ts'

const bucket = z
  .strictObject({
    bucket: z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'the name of a bucket'),
    /** Only keys that begin so may be read */
    prefix: z.string().max(500).default(''),
    /** Of a store that is not Amazon's, addressed by path */
    endpoint: z.url({ protocol: /^https?$/ }).optional(),
    region: z
      .string()
      .regex(/^[a-z0-9-]+$/, 'the name of a region')
      .default('us-east-1'),
    accessKeyId: z.string().min(1),
    secretAccessKey: z.string().min(1),
  })
  .transform(({ endpoint, ...rest }) => ({
    ...rest,
    endpoint: endpoint ?? `https://s3.${rest.region}.amazonaws.com`,
  }))
/** Buckets whose scenes users may name as `s3://bucket/key`, each with the operator's own key. */
export const buckets = z.array(bucket)
export type Bucket = z.output<typeof bucket>

/** Longer than any step runs, with its wait for a place. */
const SIGNED_SECONDS = 12 * 3600

/** @throws Error that names the field; never repeats the text, which is secret */
export const parseBuckets = (text: string): Bucket[] => {
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch {
    throw new Error('must be a JSON list of {bucket, accessKeyId, secretAccessKey, ...}')
  }
  const parsed = buckets.safeParse(read)
  if (parsed.success) return parsed.data
  throw new Error(
    parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
  )
}

/** The bucket that a URL is in, the one with the longest prefix; undefined where none is the operator's. */
export const bucketOf = (href: string, all: readonly Bucket[]): Bucket | undefined => {
  const [, name, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(href) ?? []
  // Some stores resolve dots in a key as a path, which would lead out of the prefix.
  if (key === undefined || key.split('/').some((part) => ['', '.', '..'].includes(part)))
    return undefined
  return all
    .filter(({ bucket, prefix }) => bucket === name && key.startsWith(prefix))
    .sort((a, b) => b.prefix.length - a.prefix.length)[0]
}

/**
 * A URL for each `s3://` URL, that anybody may GET for 12 hours: for a secret, never for a plan or a log.
 *
 * @throws ConnectorError `connector.missing_credentials` for a bucket that is not the operator's
 */
export const signedObjects = (
  hrefs: readonly string[],
  all: readonly Bucket[],
  now = new Date(),
): Record<string, string> =>
  Object.fromEntries(
    hrefs.map((href) => {
      const found = bucketOf(href, all)
      if (found) return [href, presigned(href, found, SIGNED_SECONDS, now)]
      throw new ConnectorError(
        'connector.missing_credentials',
        `${href.slice(0, 200)} is in no bucket that this installation reads: give an https URL, or the operator names it in S3_SOURCES`,
      )
    }),
  )
