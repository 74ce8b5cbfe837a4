import { ReturnType } from '@dagger.io/dagger'
import type {
  Client,
  Container,
  ContainerWithExecOpts,
  Directory,
  Secret,
  Service,
} from '@dagger.io/dagger'
import type { z } from 'zod'
import type { Artifacts } from './artifacts.ts'
import type { StepContract } from './contract.ts'

/** What a step may reach: the engine, the shipped files, and the secrets given to it alone. */
export interface StepEnvironment {
  readonly dag: Client
  /** The project's own files: `steps/*\/program`, `containers`, `models`. */
  readonly assets: Directory
  /** Names this task's try; in the cache key of steps with effects only, never of a pure step. */
  readonly runKey: string
  readonly secrets: Readonly<Record<string, Secret>>
  /** Servers on the caller's own machine, by the host name that a step reaches them under. */
  readonly services?: Readonly<Record<string, Service>>
}

/** What earlier steps made: `files` holds every artifact flat, `artifacts` says which is which. */
export interface StepInput {
  readonly files: Directory
  readonly artifacts: Artifacts
  /** The steps before, in order; absent for a step that is called alone. */
  readonly steps?: readonly StepDone[]
}
/** Which files a finished step read and made, by artifact key. */
export interface StepDone {
  readonly process_id: string
  readonly inputs: Artifacts
  readonly outputs: Artifacts
}

export interface Step<P extends z.ZodType = z.ZodType> {
  readonly contract: StepContract<P>
  /** The step's `/out`, lazily: `result.json`, `log.txt` and the files it made. */
  out(
    env: StepEnvironment,
    input: StepInput,
    parameters: z.output<P>,
  ): Directory | Promise<Directory>
  /** Prints what the program prints, while it runs; for a step whose own exec tells nothing. */
  live?(
    env: StepEnvironment,
    input: StepInput,
    parameters: z.output<P>,
  ): Promise<Container | undefined>
}

/** Declares a step, keeping the type of its parameters. */
export const defineStep = <P extends z.ZodType>(step: Step<P>) => step

/** A step's failure is data for the manifest, not a GraphQL error: the program writes it down. */
export const STEP_EXEC: ContainerWithExecOpts = { expect: ReturnType.Any }

/** The image of `containers/<name>`, built on first use and cached by content from then on. */
export const image = (
  env: StepEnvironment,
  name: string,
  args: Readonly<Record<string, string>> = {},
): Container =>
  env.assets
    .directory(`containers/${name}`)
    .dockerBuild({ buildArgs: Object.entries(args).map(([name, value]) => ({ name, value })) })

/** Lets a step with network reach the servers of the caller's own machine. */
export const withServices = (env: StepEnvironment, container: Container): Container =>
  Object.entries(env.services ?? {}).reduce(
    (bound, [name, service]) => bound.withServiceBinding(name, service),
    container,
  )

/** Runs `steps/<name>/program/main.py` over `/in` with `{parameters, artifacts}` as one JSON file. */
export const runPython = (
  env: StepEnvironment,
  step: string,
  base: Container,
  input: StepInput,
  parameters: unknown,
): Directory =>
  base
    .withMountedDirectory('/program', env.assets.directory(`steps/${step}/program`))
    .withMountedDirectory('/in', input.files)
    .withNewFile('/parameters.json', JSON.stringify({ parameters, artifacts: input.artifacts }))
    .withExec(['python3', '/program/main.py', '/parameters.json', '/in', '/out'], STEP_EXEC)
    .directory('/out')
