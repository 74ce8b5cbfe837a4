import { createHash, createHmac } from 'node:crypto'

export interface S3Place {
  /** Of a store that is addressed by path: `https://host` */
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest()
/** RFC 3986, as the signature wants it: encodeURIComponent leaves five characters more. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  )

/**
 * A URL of an s3 object that anybody may GET until it ends.
 *
 * @param href `s3://bucket/key`
 * @param seconds its life, 604800 at most
 * @see AWS Signature Version 4, query parameters
 */
export const presigned = (
  href: string,
  { endpoint, region, accessKeyId, secretAccessKey }: S3Place,
  seconds: number,
  now = new Date(),
): string => {
  const path = href.slice('s3://'.length).split('/').map(encoded).join('/')
  const { host, origin } = new URL(endpoint)
  const time = now.toISOString().replace(/[-:]|\.\d{3}/g, '')
  const day = time.slice(0, 8)
  const scope = `${day}/${region}/s3/aws4_request`
  const query = Object.entries({
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${accessKeyId}/${scope}`,
    'X-Amz-Date': time,
    'X-Amz-Expires': String(seconds),
    'X-Amz-SignedHeaders': 'host',
  })
    .map(([name, value]) => `${name}=${encoded(value)}`)
    .join('&')
  const request = ['GET', `/${path}`, query, `host:${host}\n`, 'host', 'UNSIGNED-PAYLOAD'].join(
    '\n',
  )
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(request)].join('\n')
  const key = [region, 's3', 'aws4_request'].reduce<Buffer>(
    (made, part) => hmac(made, part),
    hmac(`AWS4${secretAccessKey}`, day),
  )
  return `${origin}/${path}?${query}&X-Amz-Signature=${hmac(key, text).toString('hex')}`
}
