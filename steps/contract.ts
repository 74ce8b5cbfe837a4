import { z } from 'zod'
import type { ArtifactKey } from './artifacts.ts'

/** What the plan, the API and the program agree on. No Dagger import, so every layer may read it. */
export interface StepContract<P extends z.ZodType = z.ZodType> {
  /** Folder name, plan key and `process_id` on the wire: one spelling. */
  readonly name: string
  readonly parameters: P
  readonly consumes: readonly ArtifactKey[]
  readonly produces: readonly ArtifactKey[]
}

/** Declares a step's contract, keeping the type of its parameters. */
export const defineContract = <P extends z.ZodType>(contract: StepContract<P>) => contract

/** What every program leaves in `/out/result.json`; times in UTC ISO 8601, `seconds` of the program. */
export const stepResult = z.object({
  status: z.enum(['FINISHED', 'FAILED', 'SKIPPED']),
  error: z.object({ code: z.string(), message: z.string() }).nullable().default(null),
  started_at: z.string(),
  seconds: z.number(),
  artifacts: z.record(z.string(), z.string()).default({}),
  details: z.record(z.string(), z.unknown()).default({}),
})
export type StepResult = z.output<typeof stepResult>
