import { get as getHttp, type IncomingMessage } from 'node:http'
import { get as getHttps } from 'node:https'
import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import type { Config } from '../config.ts'
import { StoreError, told } from './errors.ts'
import { isBelow, NotServed, type Store } from './store.ts'

/** As long as `fetch` would wait for a store that says nothing. */
const SILENCE_MS = 300_000

/**
 * The answer to a GET; no redirect is followed. Not by `fetch`: where a store ends the connection
 * while a slow disk holds the body back, undici of Node 24 fails an assertion outside of any promise,
 * which ends the process.
 */
const got = (url: string): Promise<IncomingMessage> =>
  new Promise((done, failed) => {
    const get = url.startsWith('https:') ? getHttps : getHttp
    const request = get(url, { agent: false, timeout: SILENCE_MS }, done)
    request.on('error', failed).on('timeout', () => {
      const silent = new Error('the object store is silent')
      request.destroy(Object.assign(silent, { code: 'ETIMEDOUT' }))
    })
  })

/** Objects in one bucket of any S3; URLs are presigned (SigV4) and served by S3 itself. */
export class S3Store implements Store {
  private readonly client: S3Client
  private readonly bucket: string
  private readonly origin: string

  constructor(config: Config) {
    if (!config.S3_BUCKET) throw new Error('S3_BUCKET: required with S3_ENDPOINT')
    if (!config.S3_ACCESS_KEY_ID || !config.S3_SECRET_ACCESS_KEY)
      throw new Error('S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY: required with S3_ENDPOINT')
    this.bucket = config.S3_BUCKET
    this.origin = `${config.S3_ENDPOINT!.replace(/\/$/, '')}/${this.bucket}/`
    this.client = new S3Client({
      endpoint: config.S3_ENDPOINT!,
      region: config.S3_REGION,
      forcePathStyle: true,
      credentials: {
        accessKeyId: config.S3_ACCESS_KEY_ID,
        secretAccessKey: config.S3_SECRET_ACCESS_KEY,
      },
      // Many S3 servers refuse the trailing checksums that the SDK sends by default.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    })
  }

  private at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.bucket, Key: key }
  }
  async put(key: string, body: Buffer | string): Promise<void> {
    const command = new PutObjectCommand({ ...this.at(key), Body: body })
    await told(key, () => this.client.send(command), true)
  }
  async putFile(key: string, path: string): Promise<void> {
    const { size } = await stat(path)
    const put = () =>
      new PutObjectCommand({ ...this.at(key), Body: createReadStream(path), ContentLength: size })
    await told(key, () => this.client.send(put()), true)
  }
  async get(key: string): Promise<Buffer> {
    return told(key, async () => {
      const { Body } = await this.client.send(new GetObjectCommand(this.at(key)))
      return Buffer.from(await Body!.transformToByteArray())
    })
  }
  async getFile(key: string, path: string): Promise<void> {
    await told(key, async () => {
      const { Body } = await this.client.send(new GetObjectCommand(this.at(key)))
      await pipeline(Body as Readable, createWriteStream(path))
    })
  }
  private async head(key: string): Promise<HeadObjectCommandOutput | undefined> {
    try {
      return await told(key, () => this.client.send(new HeadObjectCommand(this.at(key))))
    } catch (error) {
      if (error instanceof StoreError && !error.passes) return undefined
      throw error
    }
  }
  async size(key: string): Promise<number | undefined> {
    const head = await this.head(key)
    return head && (head.ContentLength ?? 0)
  }
  async written(url: string): Promise<string | undefined> {
    const { origin, pathname } = new URL(url)
    const head = await this.head(
      decodeURIComponent(`${origin}${pathname}`.slice(this.origin.length)),
    )
    return head && `${head.ETag} ${head.LastModified?.toISOString()}`
  }
  signGet(key: string, seconds: number): Promise<string> {
    return getSignedUrl(this.client, new GetObjectCommand(this.at(key)), { expiresIn: seconds })
  }
  signPut(key: string, seconds: number): Promise<string> {
    return getSignedUrl(this.client, new PutObjectCommand(this.at(key)), { expiresIn: seconds })
  }
  async download(url: string, path: string): Promise<void> {
    await told('object at this URL', async () => {
      const answer = await got(url)
      const status = answer.statusCode ?? 0
      if (status !== 200) answer.destroy()
      if (status >= 500 || status === 429)
        throw new StoreError('store.unavailable', `the object store answers ${status}`)
      if (status !== 200) throw new NotServed(status)
      await pipeline(answer, createWriteStream(path))
    })
  }
  async tidy(): Promise<void> {} // a PUT that ends early leaves nothing in an S3
  removeBelow(prefix: string): Promise<void> {
    return told(prefix, () => this.removeAll(prefix), true)
  }
  private async removeAll(prefix: string): Promise<void> {
    for (;;) {
      const { Contents = [] } = await this.client.send(
        new ListObjectsV2Command({ Bucket: this.bucket, Prefix: `${prefix}/` }),
      )
      if (Contents.length === 0) return
      const Objects = Contents.map(({ Key }) => ({ Key: Key! }))
      const { Errors = [] } = await this.client.send(
        new DeleteObjectsCommand({ Bucket: this.bucket, Delete: { Objects, Quiet: true } }),
      )
      const [first] = Errors
      if (first) throw new StoreError('store.refused', `${first.Key}: ${first.Message}`)
    }
  }

  private async *listed(prefix: string, Delimiter?: string) {
    let ContinuationToken: string | undefined
    do {
      const input = {
        Bucket: this.bucket,
        Prefix: `${prefix}/`,
        ...(Delimiter ? { Delimiter } : {}),
        ...(ContinuationToken ? { ContinuationToken } : {}),
      }
      const page = await told(prefix, () => this.client.send(new ListObjectsV2Command(input)))
      yield page
      ContinuationToken = page.NextContinuationToken
    } while (ContinuationToken)
  }
  async folders(prefix: string): Promise<string[]> {
    const names: string[] = []
    for await (const { CommonPrefixes = [] } of this.listed(prefix, '/'))
      names.push(...CommonPrefixes.map((one) => one.Prefix!.split('/').at(-2)!))
    return names
  }
  async usage(prefix: string): Promise<{ objects: number; bytes: number }> {
    let [objects, bytes] = [0, 0]
    for await (const { Contents = [] } of this.listed(prefix)) {
      objects += Contents.length
      bytes += Contents.reduce((sum, { Size = 0 }) => sum + Size, 0)
    }
    return { objects, bytes }
  }

  owns(url: string): boolean {
    return isBelow(url, this.origin)
  }
}
