import { type Stage, STAGES } from '../steps/contract.ts'
import { contractOf, contracts, stepNamed, type StepName, stepNames } from '../steps/contracts.ts'
import type { PlanRequest, Source } from '../steps/plan-context.ts'
import { PlanError } from './errors.ts'
import { stepFor } from './runs-by.ts'

interface Listed {
  readonly process_id: string
  readonly step_number: number
}

const stageOf = (process_id: string): Stage | undefined => {
  const name = stepNamed(process_id)
  return name && contractOf(name).stage
}

const isLater = (process_id: string, stage: Stage): boolean => {
  const other = stageOf(process_id)
  return other !== undefined && STAGES.indexOf(other) > STAGES.indexOf(stage)
}

/** The name itself where the step takes such a source, else that of the step which does. */
const inputFor = (process_id: string, kind: Source['kind']): string => {
  const own = stepNamed(process_id)
  if (!own || contractOf(own).stage !== 'input') return process_id
  // Of a scene that is given, clients expect the connector's own name, whatever the model lists.
  if (contractOf(own).sources?.includes(kind)) return kind === 'scene' ? own : process_id
  return stepNames.find((name) => contractOf(name).sources?.includes(kind)) ?? process_id
}

/**
 * Names of a pipeline's steps in order, as the pipeline spells them.
 *
 * The step that takes in the pixels is the one for this kind of source. A step that the plan adds
 * by itself stands before the first of a later stage, so that what it makes is masked, published
 * and in the archive. Unknown names stay where they are.
 */
export const orderOf = (
  listed: readonly Listed[],
  kind: Source['kind'],
  request: PlanRequest,
): string[] => {
  const names = [...listed]
    .sort((a, b) => a.step_number - b.step_number)
    .map(({ process_id }) => stepFor(inputFor(process_id, kind), request))
    .filter((process_id) => {
      const name = stepNamed(process_id)
      return !name || contractOf(name).wanted === undefined
    })
  for (const name of stepNames) {
    const { wanted, stage } = contractOf(name)
    if (!wanted?.(request)) continue
    const at = names.findIndex((other) => isLater(other, stage))
    names.splice(at < 0 ? names.length : at, 0, name)
  }
  return names
}

/** @throws PlanError `plan.order` where a step needs what no step before it makes */
export const checkOrder = (order: readonly StepName[]): void => {
  const made = new Set<string>()
  for (const name of order) {
    const missing = contracts[name].consumes.find((key) => !made.has(key))
    if (missing)
      throw new PlanError(
        'plan.order',
        `pipeline_steps: ${name} needs ${missing}, which no step before it makes; the order is ${order.join(', ')}`,
      )
    for (const key of contracts[name].produces) made.add(key)
  }
}
