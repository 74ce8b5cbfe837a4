import { accessFor, isOpen } from '../connectors/access.ts'
import { signedObjects } from '../connectors/buckets.ts'
import type { Credentials } from '../connectors/credentials.ts'
import { ConnectorError } from '../connectors/errors.ts'
import { planningCatalogue } from '../connectors/planning.ts'
import type { CatalogueRow } from '../connectors/row.ts'
import { contractOf } from '../steps/contracts.ts'
import { PlanError } from './errors.ts'
import type { PlannedTask } from './plan.ts'
import { type PlannerCatalogue, readsOf } from './planner.ts'

/** A catalogue that did not answer now and may answer later: whoever plans tries again. */
export class CataloguePasses extends PlanError {}

/** The catalogues of an installation: searched for plans, and with access to their pixels. */
export interface Catalogues extends PlannerCatalogue {
  /**
   * What the steps of tasks need to read their pixels, JSON, for a secret; undefined for open ones.
   *
   * @throws PlanError `connector.missing_credentials`, `connector.bad_credentials`
   */
  access(tasks: readonly Pick<PlannedTask, 'steps'>[]): Promise<string | undefined>
}

export interface CataloguesOptions {
  readonly rows: readonly CatalogueRow[]
  readonly credentials: Credentials
  readonly allowPrivateHosts: boolean
  readonly mostTasks: number
}

/** An error of a catalogue as planning says it. */
const named = async <T>(work: () => Promise<T>): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error
    const message = error.message.slice(error.code.length + 2)
    throw error.mayPass
      ? new CataloguePasses(error.code, message)
      : new PlanError(error.code, message)
  }
}

/** The `s3://` URLs that the steps of tasks read. */
const objectsOf = (tasks: readonly Pick<PlannedTask, 'steps'>[]): string[] =>
  tasks.flatMap(({ steps }) =>
    steps.flatMap(
      ({ process_id, parameters }) => contractOf(process_id).objects?.(parameters) ?? [],
    ),
  )

export const cataloguesOf = ({ mostTasks, ...options }: CataloguesOptions): Catalogues => {
  const today = () => new Date().toISOString().slice(0, 10)
  const catalogue = planningCatalogue({ ...options, mostTasks, today: today() })
  return {
    ...catalogue,
    // A server runs for longer than a day.
    get today() {
      return today()
    },
    search: (row, query) => named(() => catalogue.search(row, query)),
    access: (tasks) =>
      named(async () => {
        const read = await accessFor(readsOf(tasks, catalogue.find), options)
        const objects = signedObjects(objectsOf(tasks), options.credentials.buckets ?? [])
        const access = { ...read, signed: { ...read.signed, ...objects } }
        return isOpen(access) ? undefined : JSON.stringify(access)
      }),
  }
}
