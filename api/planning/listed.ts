import { stepNamed, type StepName } from '../../steps/contracts.ts'
import type { WireStep } from '../database/database.ts'

/** The name that the request's own pipeline has for a step, which is the one that clients know. */
export const listedName = (name: StepName, listed: readonly WireStep[]): string =>
  listed.find(({ process_id }) => stepNamed(process_id) === name)?.process_id ?? name
