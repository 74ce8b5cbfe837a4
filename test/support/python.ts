import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './engine.ts'

/** A venv with the clients that a file of test/python names, made once; returns its bin folder. */
export const pythonClients = async (file = 'requirements.txt'): Promise<string> => {
  const requirements = join(root, 'test/python', file)
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  const folder = join(
    process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
    `geodag/clients-${hash}`,
  )
  const bin = join(folder, 'bin')
  if (existsSync(join(folder, 'complete'))) return bin
  console.log(`geodag: installing the Python clients of ${file} (about a minute, once)`)
  mkdirSync(folder, { recursive: true })
  // Not the blocking form: it would stall the test runner's own messages.
  await promisify(execFile)('python3', ['-m', 'venv', folder])
  await promisify(execFile)(join(bin, 'pip'), ['install', '-q', '-r', requirements])
  writeFileSync(join(folder, 'complete'), '')
  return bin
}
