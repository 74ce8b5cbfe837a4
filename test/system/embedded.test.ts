import { execFile } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { embedded } from '../../api/database/embedded.ts'
import { Process, sleep } from '../support/api.ts'

let folder: string
const processes: Process[] = []
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'geodag-embedded-'))
  chmodSync(folder, 0o755) // as root, Postgres runs under a user of its own
})
afterAll(async () => {
  await Promise.all(processes.map((one) => one.end('SIGTERM')))
  rmSync(folder, { recursive: true, force: true })
})

const settings = () => ({
  DATA_FOLDER: folder,
  DATABASE_URL: '',
  PORT: '0',
  RATELIMIT_ENABLED: '0',
})
const launch = (role: string): Process => {
  const started = new Process(role, settings())
  processes.push(started)
  return started
}
const pidPath = () => join(folder, 'postgres/postmaster.pid')
/** Empty while there is no server. */
const pidFile = () => (existsSync(pidPath()) ? readFileSync(pidPath(), 'utf8').split('\n') : [])
const postmaster = () => Number(pidFile()[0])
/** A key that nobody has: to know that, the API must have asked the database. */
const answers = async (url: string) =>
  (await fetch(`${url}/v2/models`, { headers: { 'X-API-Key': 'pak-nobody' } })).status
const createKey = async () => {
  const args = ['api/main.ts', 'create-api-key', '--email', `${crypto.randomUUID()}@example.org`]
  const env = { ...process.env, ...settings() }
  return (await promisify(execFile)(process.execPath, args, { env })).stdout.trim()
}

test('an API and two runners at once on a fresh folder: one server, all of them ready', async () => {
  await Promise.all(['api', 'runner', 'runner'].map((role) => launch(role).ready()))
  const [api] = processes
  expect(await answers(api!.url)).toBe(401)
  expect(readdirSync(join(folder, 'postgres.users'))).toHaveLength(3)
})

test('a server that is killed comes back on its port; those that use it go on', async () => {
  const [api] = processes
  const [before, port] = [postmaster(), pidFile()[3]]
  process.kill(before, 'SIGKILL')
  while (
    !(postmaster() > 0) ||
    postmaster() === before ||
    (await answers(api!.url).catch(() => 0)) !== 401
  )
    await sleep(100)
  expect(pidFile()[3]).toBe(port)
  for (const one of processes) one.alive()
})

test('the one that started it ends: the server stays for the others', async () => {
  const [api, runner] = processes
  const before = postmaster()
  expect(await api!.end('SIGTERM')).toBe(0)
  expect(postmaster()).toBe(before)
  expect(await createKey()).toMatch(/\S{20}/)
  expect(postmaster()).toBe(before)
  runner!.alive()
})

test('one that is left by SIGKILL is taken over, though it is silent at first', async () => {
  await Promise.all(processes.map((one) => one.end('SIGKILL')))
  const left = postmaster()
  process.kill(left, 'SIGSTOP')
  const next = launch('start')
  await sleep(5000)
  next.alive()
  process.kill(left, 'SIGCONT')
  await next.ready()
  expect(postmaster()).toBe(left)
  expect(await answers(next.url)).toBe(401)
})

test('npm start drains at SIGTERM and then stops the server', async () => {
  const running = processes.at(-1)!
  expect([await running.end('SIGTERM'), running.child.signalCode]).toEqual([0, null])
  expect(running.output).toContain('draining')
  expect(existsSync(join(folder, 'postgres/postmaster.pid'))).toBe(false)
  const log = readFileSync(join(folder, 'postgres/server.log'), 'utf8')
  expect(log.trim().split('\n').at(-1)).toContain('database system is shut down')
})

test('a pid file of another program and a folder that was never finished are no hindrance', async () => {
  rmSync(join(folder, 'postgres'), { recursive: true })
  mkdirSync(join(folder, 'postgres'))
  writeFileSync(join(folder, 'postgres/postmaster.pid'), `${process.pid}\n`)
  const { url, stop } = await embedded(folder)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  expect((await client.query(`select 'é' < 'z' as c, current_database() as d`)).rows).toEqual([
    { c: false, d: 'geodag' },
  ])
  await client.end()
  await stop()
  expect(existsSync(join(folder, 'postgres/postmaster.pid'))).toBe(false)
})
