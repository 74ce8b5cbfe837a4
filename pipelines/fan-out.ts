import type { Scene } from '../steps/plan-context.ts'
import type { PlannedSource } from './scenes.ts'

/** One scene in a zip: its name there, and the day that the name holds. */
export interface Member {
  readonly member: string
  readonly date: string | null
}

const isZip = ({ url, file, member }: Scene): boolean =>
  member === undefined && /\.zip$/i.test((url ?? file ?? '').replace(/[?#].*$/, ''))

/** The zip was not looked into, for want of an engine or a store: planned without it, the run would be another. */
export class NotListed extends Error {}

/**
 * Sources with each zip of several scenes as a source a scene, in the order of their names.
 *
 * A zip of one scene or of none, and one that cannot be listed, stays as it is: its task says why.
 *
 * @param list what is in a zip, by the engine; may throw
 * @param failed told of a zip that could not be listed, for the planner's log
 * @throws NotListed of `list`
 */
export const fanOut = async (
  sources: readonly PlannedSource[],
  list: (scene: Scene, origin: number | undefined) => Promise<readonly Member[]>,
  failed: (scene: Scene, error: unknown) => void = () => undefined,
): Promise<PlannedSource[]> => {
  const all: PlannedSource[] = []
  for (const one of sources) {
    const scenes = one.source.kind === 'scene' ? one.source.scenes : []
    const [scene] = scenes
    const members =
      scenes.length === 1 && isZip(scene!)
        ? await list(scene!, one.origin).catch((error: unknown) => {
            if (error instanceof NotListed) throw error
            failed(scene!, error)
            return []
          })
        : []
    if (members.length < 2) all.push(one)
    else
      for (const { member, date } of members)
        all.push({
          ...one,
          date: date ?? one.date,
          source: { kind: 'scene', scenes: [{ ...scene!, member }] },
        })
  }
  return all
}
