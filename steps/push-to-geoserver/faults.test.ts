import { unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { geopackage } from '../../test/support/geoserver/geopackage.ts'
import { held } from '../../test/support/geoserver/held.ts'
import { layer, made, pushTo } from '../../test/support/geoserver/pushes.ts'
import {
  type Geoserver,
  type Interruption,
  startGeoserver,
} from '../../test/support/geoserver/server.ts'
import type { State } from '../../test/support/geoserver/state.ts'
import { PushError } from './program/errors.ts'
import type { Given, Push, Report } from './program/push.ts'
import { remove } from './program/remove.ts'

const stands: Geoserver[] = []
afterEach(() => stands.splice(0).forEach((stand) => stand.close()))

const LOGIN = btoa('admin:geoserver')
const page = (status: number): Interruption => ({
  ...{ status, text: '<!DOCTYPE html><html>Sign in</html>', type: 'text/html;charset=utf-8' },
})
/** What a server, or a proxy before it, answers to one request, as often as it is asked. */
const FAULTS: Record<string, Interruption> = {
  'its words, the login among them': { status: 500, text: `authorization: Basic ${LOGIN}` },
  'a refused login': { status: 401 },
  'a forbidden thing': { status: 403 },
  'nothing there': { status: 404 },
  'a conflict': { status: 409 },
  'a page that is fine': page(200),
  'a page that is missing': page(404),
  'no body': { status: 200, text: '' },
  'a list in place of an object': { status: 200, text: '[]', type: 'application/json' },
  'a redirect elsewhere': {
    ...{ status: 302, headers: { location: 'http://admin:geoserver@127.0.0.1:9/x' } },
  },
  'half an answer': 'cut-half',
}

interface Pushed {
  readonly request: Partial<Push>
  readonly given: Given
}
const vectors = { ...layer, geoserver_style: { polygon_style: { fill: '#4589FF' } } }
const FIRST = 'a granule beside that of another task'
const KINDS: Record<string, Pushed> = {
  [FIRST]: {
    ...{ request: { task: 1 }, given: made('2024-08-13_b.tif') },
  },
  'a GeoTIFF': { request: { alone: true, layer_prefix: 'j' }, given: made('a.tif') },
  'a GeoPackage': {
    ...{ request: { layers: [vectors], task: 1 }, given: made('a.gpkg', geopackage('water')) },
  },
}

let first: State
beforeAll(async () => {
  const stand = await startGeoserver()
  await pushTo(stand, { layer_prefix: 'foreign' })
  await pushTo(stand, { task: 0 }, made('2024-08-12_a.tif'))
  first = stand.state
  stand.close()
})
/** A server that has a layer of somebody else's, and one of another task of the inference. */
const ready = async (): Promise<Geoserver> => {
  const stand = await startGeoserver()
  stands.push(stand)
  stand.state = first.copy()
  return stand
}
/** What is not this push's: it stays, whatever happens. */
const others = (stand: Geoserver) => {
  const { coverages, styles, layers, granules, files } = held(stand)
  const foreign = ([name]: readonly unknown[]) => /^(geofm\/)?foreign-/.test(String(name))
  return {
    ...{ coverages: coverages.filter(foreign), layers: layers.filter(foreign) },
    ...{ files: files.filter(foreign), styles: styles.filter(({ name }) => foreign([name])) },
    granules: granules.flatMap(([, names]) => names).filter((name) => !/_1_/.test(String(name))),
    global: [...stand.state.styles.keys()],
  }
}
const outcomeOf = (pushing: Promise<Report>): Promise<Report | Error> =>
  pushing.catch((error: Error) => error)

/** One push that meets the fault, and one that does not: as if it had met none. */
const survives = async (
  { request, given }: Pushed,
  fault: Interruption,
  hit: (count: number, line: string) => boolean,
  clean: { report: Report; kept: ReturnType<typeof held> },
  what: string,
  settings = {},
): Promise<void> => {
  const stand = await ready()
  const before = others(stand)
  const from = stand.requests.length
  stand.interrupt = (count, line) => (hit(count - from, line) ? fault : undefined)
  const logged: string[] = []
  const outcome = await outcomeOf(
    pushTo(stand, request, given, settings, (text) => void logged.push(text)),
  )
  expect(others(stand), what).toEqual(before)
  if (outcome instanceof Error) {
    expect(outcome, `${what}: ${outcome.stack}`).toBeInstanceOf(PushError)
    expect((outcome as PushError).code, what).toMatch(/^geoserver\.\w+$/)
  } else if (!outcome.warnings.length) expect(held(stand), what).toEqual(clean.kept)
  expect(`${outcome} ${logged}`, what).not.toMatch(new RegExp(`${LOGIN}|admin:geoserver`))
  stand.interrupt = () => undefined
  expect(await outcomeOf(pushTo(stand, request, given)), what).toEqual(clean.report)
  expect(held(stand), what).toEqual(clean.kept)
  stand.close()
}

const cleanly = async ({ request, given }: Pushed) => {
  const stand = await ready()
  const from = stand.requests.length
  const report = await pushTo(stand, request, given)
  return { report, kept: held(stand), lines: stand.requests.slice(from) }
}

test.each(
  Object.keys(KINDS).flatMap((kind) => Object.keys(FAULTS).map((fault) => [kind, fault] as const)),
)(
  '%s: any request is answered by %s: all is there, or it is told; nothing of others is touched',
  async (kind, fault) => {
    const pushed = KINDS[kind]!
    const clean = await cleanly(pushed)
    // What all kinds ask for is met by the first.
    const shared = /^(?!.*(stores))/
    const lines =
      pushed === KINDS[FIRST] ? clean.lines : clean.lines.filter((line) => !shared.test(line))
    for (const line of new Set(lines)) {
      const what = `${fault} to ${line}`
      await survives(pushed, FAULTS[fault], (_, met) => met === line, clean, what)
    }
  },
  60_000,
)

test.each(['hang', 'endless'] as const)(
  'a server that answers no more (%s), from any request on: an error, and soon',
  async (fault) => {
    const pushed = KINDS[FIRST]!
    const clean = await cleanly(pushed)
    for (const n of [1, 3, 5, clean.lines.length]) {
      const settings = { silence: 200 }
      const what = `${fault} from request ${n}`
      await survives(pushed, fault, (count) => count >= n, clean, what, settings)
    }
  },
  60_000,
)

test('silence is waited for twice, and an answer without an end is one', async () => {
  for (const fault of ['hang', 'endless'] as const) {
    const stand = await ready()
    const from = stand.requests.length
    stand.interrupt = () => fault
    await expect(pushTo(stand, {}, undefined, { silence: 200 })).rejects.toMatchObject({
      ...{ code: 'geoserver.unreachable', message: expect.stringContaining('silent') },
    })
    expect(stand.requests.length - from).toBe(2)
  }
})

test('GeoServer is restarted without its data in the middle: told so, and the next try has all', async () => {
  const layers = ['one', 'two'].map((layer_name) => ({ ...layer, layer_name }))
  const clean = await ready()
  const from = clean.requests.length
  const report = await pushTo(clean, { layers })
  const count = clean.requests.length - from
  for (let n = 2; n <= count; n++) {
    const stand = await ready()
    const begun = stand.requests.length
    stand.interrupt = (at) => {
      if (at - begun === n) stand.lose()
      return undefined
    }
    const outcome = await outcomeOf(pushTo(stand, { layers }))
    const here = [...(stand.state.workspaces.get('geofm')?.layers.keys() ?? [])]
    if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'geoserver.layer_gone' })
    // Lost after both were looked at: the look at the style tells.
    else expect(outcome.warnings.length || here.length, `lost at ${n}`).toBeGreaterThan(0)
    expect(await pushTo(stand, { layers }), `lost at ${n}`).toEqual(report)
  }
}, 60_000)

test('an artifact that is gone is told before anything is published', async () => {
  const given = made('2024-08-12_a.tif')
  unlinkSync(join(given.folder, '2024-08-12_a.tif'))
  const stand = await ready()
  const from = stand.requests.length
  const layers = [layer, { ...layer, layer_name: 'mask', filepath_key: 'other' }]
  const two = { ...given, artifacts: { ...given.artifacts, other: 'b.tif' } }
  await expect(pushTo(stand, { layers }, two)).rejects.toMatchObject({
    ...{ code: 'geoserver.unreadable', message: expect.stringContaining('2024-08-12_a.tif') },
  })
  expect(stand.requests.length).toBe(from)
})

test('a file that goes away while it is sent is no matter of the connection: one try', async () => {
  const given = made('2024-08-12_a.tif')
  const stand = await ready()
  stand.interrupt = (_, line) => {
    if (line.startsWith('POST')) unlinkSync(join(given.folder, '2024-08-12_a.tif'))
    return line.startsWith('POST') ? 'cut-before' : undefined
  }
  await expect(pushTo(stand, { task: 7 }, given)).rejects.toMatchObject({
    ...{ code: 'geoserver.unreadable', message: expect.stringContaining('went away') },
  })
})

test('the same push twice at once leaves what one leaves', async () => {
  for (const [kind, pushed] of Object.entries(KINDS)) {
    const clean = await cleanly(pushed)
    const stand = await ready()
    const both = [1, 2].map(() => pushTo(stand, pushed.request, pushed.given))
    expect(await Promise.all(both), kind).toEqual([clean.report, clean.report])
    expect(held(stand), kind).toEqual(clean.kept)
  }
})

test('a failure of a later layer names those that are published already', async () => {
  const stand = await ready()
  const layers = [layer, { ...layer, layer_name: 'mask', filepath_key: 'mask' }]
  const given = made('2024-08-12_a.tif')
  writeFileSync(join(given.folder, 'bad.tif'), 'no')
  const two = { ...given, artifacts: { ...given.artifacts, mask: 'bad.tif' } }
  await expect(pushTo(stand, { layers, alone: true }, two)).rejects.toMatchObject({
    ...{ code: 'geoserver.unreadable', message: expect.stringMatching(/before it: geofm:i-pred$/) },
  })
})

test('a granule bears a name that any server can write, and two files keep two', async () => {
  const stand = await ready()
  const names = ['Köln Süd', 'Köln Sud', 'x'.repeat(240), `${'x'.repeat(239)}y`]
  for (const name of names) await pushTo(stand, { date: '2024-09-01' }, made(`${name}.tif`))
  const granules = stand.granules('geofm:i-pred')!.slice(1)
  expect(granules).toHaveLength(4)
  for (const name of granules) expect(name).toMatch(/^2024-09-01_[\w.-]{1,170}\.tif$/)
})

test("what goes with an inference: its tables' styles too, and no style that another's layer is drawn by", async () => {
  const stand = await ready()
  const rows = {
    request: { layers: [vectors] },
    given: made('a.gpkg', geopackage('a', 'b c', 'b_c')),
  }
  const { predicted_layers } = await pushTo(
    stand,
    { ...rows.request, layer_prefix: 'k' },
    rows.given,
  )
  expect(predicted_layers.map(({ uri }) => uri)).toEqual([
    ...['geofm:k-pred', 'geofm:k-pred-b_c', 'geofm:k-pred-b_c_2'],
  ])
  const workspace = stand.state.workspaces.get('geofm')!
  workspace.layers.get('foreign-pred')!.defaultStyle = { name: 'k-pred', workspace: 'geofm' }
  const server = { url: stand.url, username: 'admin', password: 'geoserver', pause: 1 }
  await remove(server, [{ workspace: 'geofm', name: 'k-pred' }])
  expect([...workspace.styles.keys()]).toEqual(['foreign-pred', 'i-pred', 'k-pred'])
  expect([...workspace.layers.keys()]).toEqual(['foreign-pred', 'i-pred'])
  expect(workspace.layers.get('foreign-pred')!.defaultStyle.name).toBe('k-pred')
})
