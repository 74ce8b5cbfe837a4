import { parse } from 'yaml'
import { z } from 'zod'
import { buckets } from '../connectors/buckets.ts'
import type { Credentials } from '../connectors/credentials.ts'
import { parseCatalogues, rowsWith } from '../connectors/operator.ts'
import type { CatalogueRow } from '../connectors/row.ts'
import { type Catalogues, cataloguesOf } from './catalogues.ts'
import { invalid, PlanError } from './errors.ts'
import type { InferenceArguments } from './module.ts'

const MOST_TASKS = 10_000

const text = z.string().min(1)
const accounts = z.strictObject({
  sentinelhub: z.strictObject({ id: text, secret: text }).optional(),
  earthdata: text.optional(),
  cdse: z.strictObject({ accessKeyId: text, secretAccessKey: text }).optional(),
  planetary_computer: text.optional(),
  tokens: z.record(z.string(), text).optional(),
  buckets: buckets.optional(),
})

/** @throws PlanError `catalogue.invalid` */
const rowsOf = async ({ catalogues }: InferenceArguments): Promise<CatalogueRow[]> => {
  if (!catalogues) return rowsWith([])
  try {
    return rowsWith(parseCatalogues(JSON.stringify(parse(await catalogues.contents()))))
  } catch (error) {
    throw invalid('catalogue.invalid', await catalogues.name(), (error as Error).message)
  }
}

/** @throws PlanError `catalogue.credentials`; the message never repeats the secret */
const accountsOf = async ({ credentials }: InferenceArguments): Promise<Credentials> => {
  if (!credentials) return {}
  try {
    const read = accounts.parse(JSON.parse(await credentials.plaintext()))
    return Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined))
  } catch (error) {
    const fields = error instanceof z.ZodError ? error.issues.map(({ path }) => path.join('.')) : []
    throw new PlanError(
      'catalogue.credentials',
      `credentials: ${fields.filter(Boolean).join(', ') || 'no JSON object'}: give {"earthdata": "<token>", "sentinelhub": {"id": "", "secret": ""}, "cdse": {"accessKeyId": "", "secretAccessKey": ""}, "tokens": {"<connector>": "<token>"}}, those that you need`,
    )
  }
}

/** The catalogues of a command line: the built-in ones and `catalogues`, with its `credentials`. */
export const moduleCatalogue = async (args: InferenceArguments): Promise<Catalogues> =>
  cataloguesOf({
    rows: await rowsOf(args),
    credentials: await accountsOf(args),
    allowPrivateHosts: args.allowPrivateHosts ?? false,
    mostTasks: MOST_TASKS,
  })
