import { type Bucket, bucketOf } from '../../connectors/buckets.ts'
import { PlanError } from '../../pipelines/errors.ts'
import type { Store } from '../storage/store.ts'

const fileNameOf = (url: string): string =>
  (new URL(url).pathname.split('/').at(-1) || 'scene').replace(/%[0-9A-F]{2}|[^\w.-]/gi, '_')

type UrlItem = string | Readonly<Record<string, string>>
type Fetches = Record<string, string>
/** Where scenes may lie besides the public network. */
export interface Sources {
  readonly store: Store
  readonly buckets: readonly Bucket[]
}

/** One URL: a file name where our own store serves it. @throws PlanError `request.url` */
const ownFile = (from: Sources, url: string, where: string, fetches: Fetches): string => {
  const { store, buckets } = from
  // On a server a name is no file: the command line's local files are not meant here.
  if (!store.owns(url)) {
    if (/^https?:\/\//i.test(url) || bucketOf(url, buckets)) return url
    const cure = url.startsWith('s3://')
      ? 'is in no bucket that this installation reads: give an https URL, or ask the operator'
      : 'is not an http(s) URL'
    throw new PlanError('request.url', `${where}: ${url.slice(0, 200)} ${cure}`)
  }
  const name = fileNameOf(url)
  const file = name in fetches ? `${Object.keys(fetches).length}_${name}` : name
  fetches[file] = url
  return file
}

/** The scenes of a request, and for each what is fetched from our own store. */
export const ownFiles = (from: Sources, urls: readonly UrlItem[]) => {
  const fetches: (Fetches | undefined)[] = []
  const scenes = urls.map((item, n): UrlItem => {
    const own: Fetches = {}
    const where = `spatial_domain.urls.${n}`
    const scene =
      typeof item === 'string'
        ? ownFile(from, item, where, own)
        : Object.fromEntries(
            Object.entries(item).map(([modality, url]) => [
              modality,
              ownFile(from, url, `${where}.${modality}`, own),
            ]),
          )
    fetches[n] = Object.keys(own).length ? own : undefined
    return scene
  })
  return { scenes, fetches }
}
