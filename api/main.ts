import { parseArgs } from 'node:util'
import { createKey } from './auth/keys.ts'
import { readConfig } from './config.ts'
import { log, setUpLog } from './watch/log.ts'
import { type Started, start } from './server.ts'

const usage = `geodag: main.ts start | api | runner | create-api-key --email you@example.org`

const fail = (error: unknown): never => {
  console.error(`geodag: ${(error as Error | undefined)?.message ?? error}`)
  process.exit(1)
}

// The SDK leaves the end of its CLI unheard: a session or an engine that dies must not take the
// server along. Its task hears of it by its own call, and is tried again.
process.on('unhandledRejection', (error) => {
  const { command, code, shortMessage, message } = (error ?? {}) as Record<string, string>
  // The SDK's own errors have codes like D105: a session that is killed while it starts.
  if (!/dagger\S* session/.test(command ?? '') && !/^D\d{3}$/.test(code ?? '')) throw error
  log.warn(`a Dagger session ended: ${String(shortMessage ?? message).slice(0, 200)}`)
})

/** Serves until SIGTERM or SIGINT, then drains. */
const serveUntilStopped = (started: Started, what: string): void => {
  log.info(`${what} ready at ${started.url} (SIGTERM drains it)`)
  let stopping = false
  const stop = () => {
    if (stopping) process.exit(1)
    stopping = true
    log.info('draining')
    started.close().then(() => process.exit(0), fail)
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, stop)
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { email: { type: 'string' } },
})
try {
  const config = readConfig()
  const command = positionals[0]
  setUpLog(config, command === 'create-api-key' ? process.stderr : process.stdout)
  if (command === 'start')
    serveUntilStopped(await start(config, { api: true, runner: true }), 'API and runner')
  else if (command === 'api')
    serveUntilStopped(await start(config, { api: true, runner: false }), 'API')
  else if (command === 'runner')
    serveUntilStopped(await start(config, { api: false, runner: true }), 'runner for the API')
  else if (command === 'create-api-key') {
    if (!values.email || !/^\S+@\S+$/.test(values.email))
      fail(new Error('--email: give an e-mail address'))
    const started = await start(config, { api: false, runner: false })
    const key = await createKey(started.db, values.email!)
    await started.close(0)
    if (!key)
      fail(new Error(`${values.email} has two keys already; delete one (DELETE /v2/auth/api-keys)`))
    console.log(key!.value)
  } else fail(new Error(usage))
} catch (error) {
  fail(error)
}
