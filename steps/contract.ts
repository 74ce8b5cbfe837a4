import { z } from 'zod'
import type { ArtifactKey } from './artifacts.ts'
import type { PlanContext, PlanRequest, Source } from './plan-context.ts'

/** Pixels of a collection, `connector/collection`, by their hrefs in the plan. */
export interface CatalogueRead {
  readonly collection: string
  readonly hrefs: readonly string[]
}

/** In which order steps stand; one that the plan adds goes before the first of a later stage. */
export const STAGES = ['input', 'model', 'processor', 'postprocess', 'publish'] as const
export type Stage = (typeof STAGES)[number]

/** What the plan, the API and the program agree on. No Dagger import, so every layer may read it. */
export interface StepContract<P extends z.ZodType = z.ZodType> {
  /** Folder name, plan key and `process_id` on the wire: one spelling. */
  readonly name: string
  /** Other names of the step in pipelines of GEOStudio */
  readonly aliases?: readonly string[]
  readonly stage: Stage
  readonly parameters: P
  readonly consumes: readonly ArtifactKey[]
  readonly produces: readonly ArtifactKey[]
  /** Progress text that clients show when the step starts */
  readonly message: string
  /** Changes things outside: never cached, and not done again by a later try */
  readonly effect?: boolean
  /** Sources whose pixels it takes in, for a step of stage `input`; the given files are for it alone */
  readonly sources?: readonly Source['kind'][]
  /** The model's `inference` block, for a step that runs the model; checked when the model is read */
  readonly inference?: z.ZodType
  /**
   * Whether it asks at each run for what may have changed outside, as a URL's bytes: then no earlier
   * run's result is taken for it. Without: never
   */
  readonly online?: (parameters: unknown) => boolean
  /** What of catalogues its parameters make it read: whoever runs it gets access for these */
  readonly reads?: (parameters: unknown) => readonly CatalogueRead[]
  /** `s3://` URLs that its parameters make it read: whoever runs it signs them */
  readonly objects?: (parameters: unknown) => readonly string[]
  /** For a step that stands in the plan exactly when this says so, whatever the model lists */
  readonly wanted?: (request: PlanRequest) => boolean
  /**
   * For a step that runs a model by something else than its `inference` block: whether it can run
   * this one. Without, a step of stage `model` can where the block passes its schema.
   */
  readonly runs?: (request: PlanRequest) => boolean
  /** Names of what it hands to others by URL: whoever runs it may sign a PUT and a GET for each */
  readonly uploads?: (parameters: unknown) => readonly string[]
  /**
   * What the step of one task is called with, before `parameters` has checked it.
   *
   * Pure: the same context gives the same parameters. @throws PlanError
   */
  plan(context: PlanContext): unknown
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
