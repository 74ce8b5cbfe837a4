import { type Credentials, requireAccount } from './credentials.ts'
import { type Send, secureClient } from './http.ts'
import { accessToken } from './oauth.ts'
import type { CatalogueRow } from './row.ts'
import { presigned } from './sigv4.ts'

/**
 * What a step needs to read pixels, made at run time: the contents of a secret, never a parameter,
 * a log line, a tag or part of a cache key.
 */
export interface Access {
  /** Host to token; a name that starts with a dot stands for every host under it */
  readonly bearer: Readonly<Record<string, string>>
  /** Host to where a token of its container is asked for: `endpoint/account/container` */
  readonly sas: Readonly<Record<string, { readonly endpoint: string; readonly key: string | null }>>
  /** s3 href to a signed https URL */
  readonly signed: Readonly<Record<string, string>>
}

export interface AccessOptions {
  readonly credentials?: Credentials
  readonly allowPrivateHosts?: boolean
  /** Instead of the secure client: for tests */
  readonly send?: Send
  readonly signal?: AbortSignal
}
/** Hrefs of the frozen items that were found by a row. */
export interface AccessSource {
  readonly row: CatalogueRow
  readonly hrefs: readonly string[]
}

const SAS_ENDPOINT = 'https://planetarycomputer.microsoft.com/api/sas/v1/token'
const CDSE = { endpoint: 'https://eodata.dataspace.copernicus.eu', region: 'default' }
/** Longer than any step runs, with its wait for a place. */
const SIGNED_SECONDS = 12 * 3600
/** Of a token of Sentinel Hub, which lives an hour: what a step may still need of it. */
const TOKEN_SECONDS = 1800

/** A host and every name under it. */
const withNames = (host: string, token: string): [string, string][] => [
  [host, token],
  [`.${host}`, token],
]

const hubToken = (row: CatalogueRow, options: AccessOptions): Promise<string> => {
  const url = row.search!.token_url!
  const hosts = [new URL(url).hostname]
  const allowPrivate = (options.allowPrivateHosts ?? false) || row.private_hosts
  const send = options.send ?? secureClient({ hosts, allowPrivate })
  return accessToken(url, options.credentials!.sentinelhub!, send, options.signal, TOKEN_SECONDS)
}

const bearerOf = async (row: CatalogueRow, options: AccessOptions): Promise<[string, string][]> => {
  const { earthdata, tokens } = options.credentials ?? {}
  if (row.account === 'sentinelhub') {
    const token = await hubToken(row, options)
    return [[new URL(row.search!.url).hostname, token]]
  }
  // Not to the content network that it redirects to: its URLs are signed.
  if (row.account === 'earthdata')
    return row.hosts.filter((host) => host.endsWith('.nasa.gov')).map((host) => [host, earthdata!])
  if (row.account !== 'token' || !row.search) return []
  const hosts = row.hosts.length ? row.hosts : [new URL(row.search.url).hostname]
  return hosts.flatMap((host) => withNames(host, tokens![row.source.connector]!))
}

/**
 * Access to the pixels of some rows, for one task: tokens by host, token endpoints, signed URLs.
 *
 * @throws ConnectorError `connector.missing_credentials`, `connector.bad_credentials`
 */
export const accessFor = async (
  sources: readonly AccessSource[],
  options: AccessOptions = {},
): Promise<Access> => {
  const bearer: [string, string][] = []
  const sas: [string, Access['sas'][string]][] = []
  const signed: [string, string][] = []
  const { credentials = {} } = options
  for (const { row, hrefs } of sources) {
    requireAccount(row, credentials)
    bearer.push(...(await bearerOf(row, options)))
    const key = credentials.planetary_computer ?? null
    if (row.account === 'planetary_computer')
      for (const host of row.hosts) sas.push([host, { endpoint: SAS_ENDPOINT, key }])
    if (row.account === 'cdse')
      for (const href of new Set(hrefs))
        signed.push([href, presigned(href, { ...CDSE, ...credentials.cdse! }, SIGNED_SECONDS)])
  }
  return {
    bearer: Object.fromEntries(bearer),
    sas: Object.fromEntries(sas),
    signed: Object.fromEntries(signed),
  }
}

/** Nothing secret in it: a step of public files is given none. */
export const isOpen = ({ bearer, sas, signed }: Access): boolean =>
  [bearer, sas, signed].every((part) => Object.keys(part).length === 0)
