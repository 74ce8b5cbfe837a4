import type { Directory } from '@dagger.io/dagger'
import type { StepEnvironment } from './step.ts'

/** A program that starts a stranger's code, with the supervisor that confines and watches it. */
export const supervised = (env: StepEnvironment, program: string): Directory =>
  env.assets
    .directory(program)
    .withDirectory('.', env.assets.directory('containers/sandbox/supervisor'))
