import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { Client } from '@dagger.io/dagger'
import { engineIsGone } from '../../pipelines/compose.ts'
import { type Member, NotListed } from '../../pipelines/fan-out.ts'
import type { Scene } from '../../steps/plan-context.ts'
import { scenesInZip } from '../../steps/registry.ts'
import type { PlanDeps } from '../planning/plan-of.ts'
import { environmentOf } from './environment.ts'
import type { TaskRow } from './record.ts'
import { makeScratch } from './scratch.ts'
import { StoreError } from '../storage/errors.ts'
import { EngineAway, inSession } from './session.ts'

const silent = () => new Writable({ write: (_chunk, _encoding, done) => done() })

/**
 * Lists the scenes of a zip in an engine's session, so that a planner makes a task of each.
 *
 * What is downloaded for it is what the tasks read: it is keyed by the inference.
 */
export const zipLister =
  ({ config, store }: PlanDeps, planning: TaskRow, signal: AbortSignal) =>
  async (scene: Scene, url: string | undefined, inferenceId: string): Promise<Member[]> => {
    const scratch = await makeScratch()
    let found: Member[] = []
    // What befalls the engine or the store is not the zip's: whoever plans waits for them.
    const away = async (dag: Client, error: Error): Promise<never> => {
      if (signal.aborted || !(await engineIsGone(dag, error.message))) throw error
      throw new NotListed(error.message, { cause: error })
    }
    try {
      if (url && scene.file) await store.download(url, join(scratch, scene.file))
      await inSession(silent(), signal, config.ENGINE_TIMEOUT_SECONDS, async (dag) => {
        const key = `${planning.inference_id}/${planning.task_id}`
        const env = environmentOf(dag, config, key, { access: undefined })
        const files = scene.file
          ? dag.host().directory(scratch, { include: [scene.file] })
          : dag.directory()
        const zip = {
          ...(scene.url === undefined ? { file: scene.file! } : { url: scene.url }),
          allow_private_hosts: config.ALLOW_PRIVATE_HOSTS,
        }
        found = await scenesInZip(env, zip, files, inferenceId).catch((error) => away(dag, error))
      })
      return found
    } catch (error) {
      const passes = error instanceof StoreError && error.passes
      if (error instanceof EngineAway || passes)
        throw new NotListed(error.message, { cause: error })
      throw error
    } finally {
      await rm(scratch, { recursive: true, force: true }).catch(() => undefined)
    }
  }
