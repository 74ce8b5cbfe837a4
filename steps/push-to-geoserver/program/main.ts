import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PushError } from './errors.ts'
import { push } from './push.ts'

const [parametersFile, inputs, outputs] = process.argv.slice(2) as [string, string, string]
const started = new Date()
const log = (text: string): void => {
  console.log(text)
  appendFileSync(join(outputs, 'log.txt'), `${text}\n`)
}
const secret = (name: string): string => {
  const path = `/run/secrets/${name}`
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : ''
}

const { parameters, artifacts } = JSON.parse(readFileSync(parametersFile, 'utf8'))
let error: { code: string; message: string } | null = null
let details = {}
try {
  const [username, password, ca] = ['username', 'password', 'ca'].map(secret) as [
    string,
    string,
    string,
  ]
  const server = { url: parameters.url, username, password, ...(ca ? { ca } : {}) }
  details = await push(server, parameters, { folder: inputs, artifacts }, log)
} catch (failure) {
  const code = failure instanceof PushError ? failure.code : 'step.crashed'
  error = { code, message: (failure as Error).message }
  log(`${code}: ${error.message}`)
}
// Whole or not at all: the process may be killed in the middle.
const result = join(outputs, 'result.json')
writeFileSync(
  `${result}.new`,
  JSON.stringify({
    status: error ? 'FAILED' : 'FINISHED',
    error,
    started_at: started.toISOString(),
    seconds: (Date.now() - started.getTime()) / 1000,
    artifacts: {},
    details,
  }),
)
renameSync(`${result}.new`, result)
