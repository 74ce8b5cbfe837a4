import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { ownerTag } from './owner.ts'

/** A small file of the data folder that the first process writes and all others read. */
export const keptText = (file: string, first: string): string => {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true })
    const part = `${file}.${ownerTag()}`
    writeFileSync(part, first, { mode: 0o600 })
    try {
      linkSync(part, file) // whole, and only if no other was faster
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      rmSync(part)
    }
  }
  return readFileSync(file, 'utf8').trim()
}
