import { afterEach, expect, test } from 'vitest'
import type { Given, Push } from '../../steps/push-to-geoserver/program/push.ts'
import { geopackage } from '../support/geoserver/geopackage.ts'
import { held } from '../support/geoserver/held.ts'
import { pushProcess } from '../support/geoserver/process.ts'
import { layer, made, pushTo } from '../support/geoserver/pushes.ts'
import { type Geoserver, type Interruption, startGeoserver } from '../support/geoserver/server.ts'
import { geotiff } from '../support/geotiff.ts'

const stands: Geoserver[] = []
afterEach(() => stands.splice(0).forEach((stand) => stand.close()))
const start = async (): Promise<Geoserver> => {
  const stand = await startGeoserver({ username: '', password: '' })
  stands.push(stand)
  return stand
}

/** When the kill meets a request: nothing was done, its body is on the way, all but the answer. */
type Moment = 'before' | 'during' | 'after'
const UPLOAD = /\/file\.(geotiff|imagemosaic)/

interface Pushed {
  readonly request: Partial<Push>
  readonly given: Given
  /** What another task had published before */
  readonly earlier?: Omit<Pushed, 'earlier'>
}

const finish = async (stand: Geoserver, { request, given }: Omit<Pushed, 'earlier'>) => {
  const result = await pushProcess(stand, request, given).result
  expect(result).toMatchObject({ status: 'FINISHED', error: null })
  return result.details
}
const ready = async ({ earlier }: Pushed): Promise<Geoserver> => {
  const stand = await start()
  const own = { username: '', password: '' }
  if (earlier) await pushTo(stand, earlier.request, earlier.given, own)
  return stand
}
const filesOf = (stand: Geoserver) =>
  [...stand.state.files.values()].flatMap((map) => [...map.keys()])

interface Clean {
  readonly details: unknown
  readonly kept: ReturnType<typeof held>
  /** `METHOD path` of its requests */
  readonly lines: readonly string[]
}
/** What a push that nothing stops says and leaves. */
const cleanly = async (pushed: Pushed): Promise<Clean> => {
  const stand = await ready(pushed)
  const before = stand.requests.length
  const details = await finish(stand, pushed)
  return { details, kept: held(stand), lines: stand.requests.slice(before) }
}

/** Kills the process at its request `n` and runs it again: as if nothing had been. */
const killedAt = async (pushed: Pushed, clean: Clean, n: number, moment: Moment) => {
  const stand = await ready(pushed)
  const before = stand.requests.length
  let kill: () => void = () => undefined
  stand.interrupt = (count): Interruption => {
    if (count - before !== n) return undefined
    if (moment === 'after') return { unanswered: kill }
    kill()
    return moment === 'before' ? 'cut-before' : undefined
  }
  const { child, result } = pushProcess(stand, pushed.request, pushed.given)
  kill = () => void child.kill('SIGKILL')
  expect(await result).toBeUndefined()
  expect(child.signalCode).toBe('SIGKILL')
  if (moment !== 'after' && UPLOAD.test(clean.lines[n - 1]!))
    expect(
      filesOf(stand).filter((name) => name.includes(Object.values(pushed.given.artifacts)[0]!)),
    ).toEqual([])
  stand.interrupt = () => undefined
  const what = `killed ${moment} request ${n}, ${clean.lines[n - 1]}`
  expect(await finish(stand, pushed), what).toEqual(clean.details)
  expect(held(stand), what).toEqual(clean.kept)
}

// More than the sockets of both sides hold: a kill meets it half sent.
const large = geotiff(2000, 1, (_, row) => row % 2)
const first = { request: { task: 0 }, given: made('2024-08-12_a.tif') }
const kinds: Record<string, Pushed> = {
  'a mosaic of its own': { request: { task: 0 }, given: made('2024-08-12_a.tif', large) },
  'a mosaic of another task': {
    request: { task: 1 },
    given: made('2024-08-13_b.tif', large),
    earlier: first,
  },
  'a GeoTIFF': { request: { alone: true }, given: made('a.tif', large) },
  'a GeoPackage': {
    request: { layers: [{ ...layer, geoserver_style: { polygon_style: { fill: '#4589FF' } } }] },
    given: made('a.gpkg', geopackage('water')),
  },
}

test.each(Object.entries(kinds))(
  'the process is killed at every request of the push into %s, then once more: as if nothing had been',
  async (_, pushed) => {
    const clean = await cleanly(pushed)
    expect(clean.lines.length).toBeGreaterThan(9)
    const kills = clean.lines.flatMap((line, n) => [
      () => killedAt(pushed, clean, n + 1, 'before'),
      () => killedAt(pushed, clean, n + 1, 'after'),
      ...(line.startsWith('GET') ? [] : [() => killedAt(pushed, clean, n + 1, 'during')]),
    ])
    // Two at once: each has a GeoServer of its own.
    const worker = async () => {
      for (let kill = kills.pop(); kill; kill = kills.pop()) await kill()
    }
    await Promise.all([worker(), worker()])
  },
)

test('ten processes of one inference at once into one store: ten granules, one style, no file besides', async () => {
  const stand = await start()
  const days = Array.from({ length: 10 }, (_, n) => `2024-08-${n + 10}`)
  const results = await Promise.all(
    days.map((date, task) => pushProcess(stand, { date, task }, made('s_pred.tif')).result),
  )
  expect(results.map(({ status, error }) => [status, error])).toEqual(
    days.map(() => ['FINISHED', null]),
  )
  const names = days.map((day, task) => `${day}_task_${task}_s_pred.tif`)
  expect([...stand.granules('geofm:i-pred')!].sort()).toEqual(names)
  const { coverages, features, styles, layers, files } = held(stand)
  expect([coverages.length, features.length, styles.length, layers.length]).toEqual([1, 0, 1, 1])
  expect(files.map(([folder]) => folder)).toEqual(['geofm/i-pred'])
})
