import { contractOf, stepNamed, type StepName, stepNames } from '../steps/contracts.ts'
import type { ModelServer, PlanRequest } from '../steps/plan-context.ts'

/** What says how a model is run. */
export type RunsBy = Pick<PlanRequest, 'inference' | 'server'>

export const modelOf = (model: {
  readonly display_name?: string
  readonly internal_name?: string | null | undefined
  readonly inference?: unknown
  readonly model_url?: string | null | undefined
}): { readonly inference: unknown; readonly server: ModelServer | null } => ({
  inference: model.inference ?? null,
  server: model.model_url
    ? { url: model.model_url, model: model.internal_name ?? model.display_name ?? '' }
    : null,
})

/** Whether a step of this name runs a model. */
export const runsModel = (process_id: string): boolean => {
  const name = stepNamed(process_id)
  return name !== undefined && contractOf(name).stage === 'model'
}

/** Whether a step of stage `model` can run the model. */
export const canRun = (name: StepName, model: RunsBy): boolean => {
  const { stage, runs, inference } = contractOf(name)
  if (stage !== 'model') return false
  if (runs) return runs(model as PlanRequest)
  return model.inference != null && (inference?.safeParse(model.inference).success ?? false)
}

/**
 * The name itself, or where it is a step that cannot run this model the one that can.
 *
 * A model says by its data how it is run (weights, a server), and clients list it under any name.
 */
export const stepFor = (process_id: string, model: RunsBy): string => {
  const own = stepNamed(process_id)
  if (!own || contractOf(own).stage !== 'model' || canRun(own, model)) return process_id
  return stepNames.find((name) => canRun(name, model)) ?? process_id
}

/** Whether a server runs the model, not weights that are here. */
export const runsElsewhere = (model: RunsBy): boolean =>
  stepNames.some((name) => contractOf(name).runs && canRun(name, model))
