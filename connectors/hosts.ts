import { checkedUrl } from './http.ts'
import type { RawAsset } from './metadata.ts'
import type { CatalogueRow } from './row.ts'

/** What a step is told of where bytes may come from; nothing of it is secret. */
export interface Reading {
  readonly hosts: readonly string[]
  readonly allow_private_hosts: boolean
  readonly driver: CatalogueRow['driver']
  /** Goes into the output's tags */
  readonly radiometry: string
}

export const readingOf = (
  row: CatalogueRow,
  { allowPrivateHosts = false }: { allowPrivateHosts?: boolean } = {},
): Reading => ({
  hosts: row.hosts,
  allow_private_hosts: allowPrivateHosts || row.private_hosts,
  driver: row.driver,
  radiometry: row.radiometry.startsWith('sentinel2_') ? 'harmonised' : row.radiometry,
})

const SIGNED = /[?&](sig|X-Amz-Signature|X-Goog-Signature|Signature|token|access_token)=/i

const bucketHref = (row: CatalogueRow, href: string): string => {
  const found = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/([^?#\\]+)$/.exec(href)
  const bucket = found ? row.buckets[found[1]!] : undefined
  if (!found || !Object.hasOwn(row.buckets, found[1]!) || found[2]!.split('/').includes('..'))
    throw new Error('an s3 bucket that the catalogue does not list')
  return bucket!.https ? `${bucket!.https}/${found[2]}` : href
}

/** @throws Error that says why the bytes behind it may not be asked for */
const permitted = (
  row: CatalogueRow,
  href: string,
  base: string,
  allowPrivate: boolean,
): string => {
  if (/[\u0000-\u001f\u007f\\]/.test(href)) throw new Error('not a URL')
  if (href.startsWith('s3:')) return bucketHref(row, href)
  const absolute = URL.canParse(href, base) ? new URL(href, base) : undefined
  if (!absolute) throw new Error('not a URL')
  if (row.account === 'planetary_computer') absolute.search = ''
  const options = { hosts: row.hosts, allowPrivate: allowPrivate || row.private_hosts }
  const url = checkedUrl(absolute.href, options)
  if (SIGNED.test(url.search)) throw new Error('signed: its signature would end before the run')
  return url.href
}

/**
 * The first address of an asset that may be read: its href, then its alternates.
 *
 * @param base URL that a relative href stands against
 * @throws Error that says why there is none
 */
export const hrefOf = (
  row: CatalogueRow,
  asset: RawAsset,
  base: string,
  allowPrivate: boolean,
): string => {
  const alternates = Object.values(asset.alternate ?? {}).map(({ href }) => href)
  let why: unknown
  for (const href of [asset.href, ...alternates])
    try {
      return permitted(row, href, base, allowPrivate)
    } catch (error) {
      why ??= error
    }
  throw why
}
