import { PlanError } from '../../pipelines/errors.ts'
import { missingText } from '../../pipelines/planner.ts'
import type { Db, WireStep } from '../database/database.ts'
import { type PlanDeps, planOf, type StoredPlan } from '../planning/plan-of.ts'
import { seenBefore } from '../seen/seen.ts'
import type { Prepared } from './create.ts'
import { expectedSeconds } from './expected.ts'
import type { Asked } from './schema.ts'

const MOST_TASKS = 1000
const MOST_PLACES = 100

/** Given scenes: all that is known of them before they are read. */
const ofScenes = ({ plan }: StoredPlan) => ({
  tasks: plan.tasks.slice(0, MOST_TASKS).map(({ source, date }) => ({ source, date })),
  totals: { tasks: plan.tasks.length },
  missing: [],
  warnings: [],
})

const ofPlaces = ({ plan, estimate }: StoredPlan) =>
  estimate && {
    ...estimate,
    totals: { ...estimate.totals, tasks: plan.tasks.length },
    tasks: estimate.tasks.slice(0, MOST_TASKS),
    missing: estimate.missing.map((gap) => ({
      ...gap,
      error_code: 1001,
      message: missingText(gap),
    })),
  }

/** A search a place while a client waits; a run searches them one by one. @throws PlanError */
const checkPlaces = (domain: Readonly<Record<string, readonly unknown[] | null | undefined>>) => {
  const places = ['bbox', 'polygons', 'tiles'].reduce(
    (sum, name) => sum + (domain[name]?.length ?? 0),
    0,
  )
  if (places > MOST_PLACES)
    throw new PlanError(
      'request.too_many_places',
      `spatial_domain: ${places} places, a dry run searches at most ${MOST_PLACES}: ask for a part of them`,
    )
}

/**
 * What the request would do, by the same planner that a run has: tasks, what is missing, totals.
 *
 * A request that cannot be planned is an answer too: `error` with its code and the cure.
 */
export const dryRunPlan = async (
  db: Db,
  deps: PlanDeps,
  user: string,
  { model, config }: Prepared,
) => {
  try {
    checkPlaces(config.spatial_domain as Record<string, readonly unknown[] | null | undefined>)
    const stored = await planOf(deps, config, crypto.randomUUID())
    const seconds = await expectedSeconds(db, model.id)
    const { totals, ...plan } = ofPlaces(stored) ?? ofScenes(stored)
    const { store, config: settings } = deps
    const listed = config.pipeline_steps as WireStep[]
    const looked = { db, store, seconds: settings.LEASE_SECONDS }
    return {
      ...plan,
      totals: {
        ...totals,
        expected_seconds: seconds === null ? null : seconds * stored.plan.tasks.length,
      },
      earlier_runs: await seenBefore(looked, user, stored, listed),
      error: null,
    }
  } catch (error) {
    if (!(error instanceof PlanError)) throw error
    const { code, message } = error
    return { error: { code, message: message.slice(code.length + 2) } }
  }
}

type Entries = readonly Record<string, unknown>[]
/** Of what `prepare` gathers, what is shown as it is. */
interface Given {
  readonly model_input_data_spec: Entries
  readonly data_connector_config: Entries
  readonly geoserver_push: Entries
  readonly pipeline_steps: readonly WireStep[]
  readonly post_processing: Record<string, unknown>
  readonly description?: string | null
  readonly location?: string | null
  readonly inferencing?: unknown
  readonly maxcc: number
}

/** What the pipeline would be given; nothing is written. @see docs/wire.md#inference */
export const dryRunAnswer = (user: string, { model, config: run }: Prepared) => {
  const config = run as unknown as Asked & Given
  return {
    spatial_domain: config.spatial_domain,
    temporal_domain: config.temporal_domain,
    model_input_data_spec: config.model_input_data_spec,
    data_connector_config: config.data_connector_config,
    geoserver_push: config.geoserver_push,
    pipeline_steps: config.pipeline_steps,
    post_processing: config.post_processing,
    fine_tuning_id: null,
    generic_processor: config.generic_processor ?? null,
    maxcc: config.maxcc,
    model_id: model.internal_name,
    model_internal_name: model.internal_name,
    tune_id: config.fine_tuning_id ? String(config.fine_tuning_id) : 'None',
    request_type: 'openeo',
    inference_id: crypto.randomUUID(),
    description: config.description ?? null,
    location: config.location ?? null,
    model_access_url: model.model_url,
    user,
    inferencing: config.inferencing ?? null,
  }
}
