import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ownerTag, sweep } from '../storage/owner.ts'

const RUN = 'geodag-run-'

/** A folder of one try of one task; its name says whose it is. */
export const makeScratch = (): Promise<string> => mkdtemp(join(tmpdir(), `${RUN}${ownerTag()}-`))

/** Removes the folders of processes that were killed; those of living ones are never touched. */
export const sweepScratch = async (folder = tmpdir()): Promise<void> => {
  for (const prefix of [RUN, 'geodag-weights-']) await sweep(folder, prefix)
}
