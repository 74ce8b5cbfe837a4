import type { Bucket } from './buckets.ts'
import { ConnectorError } from './errors.ts'
import type { CatalogueRow } from './row.ts'

/** Accounts that this installation has: values of the API's environment or of a command line's secrets. */
export interface Credentials {
  readonly sentinelhub?: { readonly id: string; readonly secret: string }
  /** Earthdata bearer token */
  readonly earthdata?: string
  /** Keys of the s3 store of the Copernicus Data Space */
  readonly cdse?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** Subscription key of the Planetary Computer: lifts its limits, not needed */
  readonly planetary_computer?: string
  /** Bearer token of an operator's own catalogue, by connector name */
  readonly tokens?: Readonly<Record<string, string>>
  /** Buckets whose scenes users may name as `s3://bucket/key` */
  readonly buckets?: readonly Bucket[]
}

/** Variables that hold an account, as a message names them. */
const VARIABLES: Readonly<Record<CatalogueRow['account'], string>> = {
  none: '',
  planetary_computer: '',
  sentinelhub: 'SH_CLIENT_ID and SH_CLIENT_SECRET',
  earthdata: 'NASA_EARTH_BEARER_TOKEN',
  cdse: 'CDSE_S3_ACCESS_KEY_ID and CDSE_S3_SECRET_ACCESS_KEY',
  token: 'STAC_TOKENS',
}

const hasAccount = ({ account, source }: CatalogueRow, credentials: Credentials): boolean => {
  switch (account) {
    case 'none':
    case 'planetary_computer':
      return true
    case 'token':
      return credentials.tokens?.[source.connector] !== undefined
    default:
      return credentials[account] !== undefined
  }
}

/**
 * Before a search, not after it: a plan whose pixels cannot be read is no plan.
 *
 * @throws ConnectorError `connector.missing_credentials`, naming the variables
 */
export const requireAccount = (row: CatalogueRow, credentials: Credentials): void => {
  if (hasAccount(row, credentials)) return
  throw new ConnectorError(
    'connector.missing_credentials',
    `${row.source.connector} needs an account: the operator sets ${VARIABLES[row.account]}`,
  )
}
