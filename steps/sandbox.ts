import { CacheSharingMode, type Container, type Directory } from '@dagger.io/dagger'
import type { StepEnvironment } from './step.ts'

/** A program that starts a stranger's code, with the supervisor that confines and watches it. */
export const supervised = (env: StepEnvironment, program: string): Directory =>
  env.assets
    .directory(program)
    .withDirectory('.', env.assets.directory('containers/sandbox/supervisor'))

// Waits for what is newer than itself: an earlier try of the same run may have left its log.
const FOLLOW = `touch /begun; f=/live/$NAME
until [ "$f" -nt /begun ]; do sleep 0.1; done
tail -c +1 -s 0.2 ---disable-inotify -f "$f" 2>/dev/null &
until [ "$f.end" -nt /begun ]; do sleep 0.2; done
sleep 0.5; kill $!`

/**
 * Prints the log of a confined run while it runs; `name` is what its `job/live` holds.
 *
 * The engine passes on nothing of a build without network while it runs (measured on v0.21.8): the
 * supervisor copies the log into a cache volume, and this container reads it there. Key and sharing
 * are what the engine makes of `RUN --mount=type=cache,id=geodag-live,sharing=shared`.
 */
export const followed = (env: StepEnvironment, name: string): Container =>
  env.dag
    .container()
    .from('debian:bookworm-slim')
    .withMountedCache('/live', env.dag.cacheVolume('/geodag-live'), {
      sharing: CacheSharingMode.Shared,
    })
    .withEnvVariable('NAME', name)
    .withEnvVariable('RUN_KEY', crypto.randomUUID())
    .withExec(['sh', '-c', FOLLOW])
