import { Worker } from 'node:worker_threads'
import type { Service } from '../support/api.ts'
import { type Client, SCRIPT, sleep, water } from '../support/api.ts'

const MIB = 1024 * 1024
const SCENE = 'https://host.example.org/2024-01-01_scene.tif'
const head = '{"model_display_name":"tiny-water","temporal_domain":[],'
const urls = `"spatial_domain":{"urls":["${SCENE}"]}`
const objects = `[${'{},'.repeat(3e6)}{}]`
const json = 'application/json'

const form = (script: string): string =>
  [
    '--b\r\nContent-Disposition: form-data; name="generic_processor_file"; filename="a.py"\r\n\r\n',
    `${script}\r\n`,
    '--b\r\nContent-Disposition: form-data; name="generic_processor_metadata"\r\n\r\n{"name":"a"}\r\n--b--\r\n',
  ].join('')
const scenes = (count: number, length: number): string[] =>
  Array.from({ length: count }, (_, n) => `${SCENE}?${n}${'x'.repeat(length)}`)
const polygon = (points: number) => ({
  type: 'Polygon',
  coordinates: [
    Array.from({ length: points }, (_, n) => {
      const turn = (n / (points - 1)) * 2 * Math.PI
      return [30 + 10 * Math.cos(turn), 10 * Math.sin(turn)]
    }),
  ],
})
const boxes = Array.from({ length: 4900 }, (_, n) => [n / 100, 0, n / 100 + 1, 1])
const places = (spatial_domain: object): string => JSON.stringify(water(SCENE, { spatial_domain }))

/** Path, content type and body of what costs a server most. */
const worst: [string, string, string, string][] = [
  ['10 MiB of objects in demo', '/v2/inference', json, `${head}${urls},"demo":{"a":${objects}}}`],
  [
    '10 MiB of objects in a dry-run',
    '/v2/inference/dry-run',
    json,
    `${head}${urls},"x":${objects}}`,
  ],
  [
    '600,000 wrong bboxes',
    '/v2/inference',
    json,
    `${head}"spatial_domain":{"bbox":[${'[1],'.repeat(6e5)}[1]]}}`,
  ],
  [
    '11 MiB of text',
    '/v2/inference',
    json,
    `${head}${urls},"description":"${'d'.repeat(11 * MIB)}"}`,
  ],
  [
    '11 MiB of escapes',
    '/v2/inference',
    json,
    `${head}"spatial_domain":{"urls":["${'\\"'.repeat(5 * MIB)}"]}}`,
  ],
  [
    '11 MiB of digits',
    '/v2/inference',
    json,
    `${head}"spatial_domain":{"tiles":[${'1'.repeat(11 * MIB)}]}}`,
  ],
  ['11 MiB of brackets', '/v2/models', json, '['.repeat(11 * MIB)],
  ['10,000 URLs of 1 KB', '/v2/inference', json, places({ urls: scenes(10_000, 1000) })],
  ['60,000 URLs', '/v2/inference', json, places({ urls: scenes(60_000, 20) })],
  [
    '10,000 URLs that are none',
    '/v2/inference',
    json,
    places({ urls: Array(10_000).fill('s3://b/k') }),
  ],
  ['4,900 boxes', '/v2/inference', json, places({ bbox: boxes })],
  ['a polygon of 19,000 points', '/v2/inference', json, places({ polygons: [polygon(19_000)] })],
  [
    'a script of conditions',
    '/v2/generic-processor',
    'multipart/form-data; boundary=b',
    form('if (\n'.repeat(1.9e6)),
  ],
  [
    'a script of 9 MB',
    '/v2/generic-processor',
    'multipart/form-data; boundary=b',
    form('x = 1\n'.repeat(1.5e6) + SCRIPT),
  ],
  [
    'a form of 200,000 parts',
    '/v2/generic-processor',
    'multipart/form-data; boundary=b',
    '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'.repeat(2e5),
  ],
  [
    '11 MiB URL-encoded',
    '/v2/generic-processor',
    'application/x-www-form-urlencoded',
    'a&'.repeat(5.5 * MIB),
  ],
]

/** What the same user reads meanwhile: his longest answers, and the events of one inference. */
const read = [
  '/v2/inference?limit=1000',
  '/v2/generic-processor?limit=1000',
  '/v2/models?limit=1000',
]

const quantile = (sorted: number[], part: number): string =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!.toFixed(0)

/** Somebody who asks for a small thing all the while. `take` gives the sorted times since the last. */
const watcher = (client: Client, path: string) => {
  const workerData = { url: client.url + path, key: client.key }
  const worker = new Worker(new URL('./watch.ts', import.meta.url), { workerData })
  const take = () =>
    new Promise<number[]>((done) => {
      worker.once('message', done)
      worker.postMessage('take')
    })
  /** What was asked while `work` went on, the answer that was on its way at its end included. */
  const during = async (work: Promise<unknown>): Promise<number[]> => {
    await take()
    await work
    await sleep(50)
    return take()
  }
  return { during, end: () => worker.terminate() }
}

/**
 * One user posts the worst bodies, one after another and then all at once, and reads his longest
 * lists; another asks for a small thing all the while. Prints the slowest answer for each.
 */
export const underAttack = async (service: Service, role: 'api' | 'start'): Promise<void> => {
  const api = await service.launch(role)
  const good = await service.client(api.url, `good-${role}@example.org`)
  const bad = await service.client(api.url, `bad-${role}@example.org`)
  const { id } = (await good.post('/v2/inference', water(SCENE))).body
  const small = `/v2/inference/${id}`
  const post = async ([, path, type, body]: (typeof worst)[number]) => {
    const headers = { 'X-API-Key': bad.key, 'Content-Type': type }
    const answer = await fetch(api.url + path, { method: 'POST', headers, body }).catch((error) => {
      api.alive()
      return String(error.cause ?? error)
    })
    if (typeof answer === 'string') return answer
    await answer.text()
    return answer.status
  }
  let slowest = 0
  const told = (name: string, times: number[], more = '') => {
    slowest = Math.max(slowest, times.at(-1) ?? 0)
    console.log(
      `${name.padEnd(32)} slowest small GET ${quantile(times, 1).padStart(4)} ms, p50 ${quantile(times, 0.5)} ms${more}`,
    )
  }
  const watch = watcher(good, small)
  // Of this process, not of one that was measured before it.
  const ended = (error: unknown) => {
    console.error(api.child.exitCode, api.child.signalCode, api.output.slice(-3000), error)
    process.exit(1)
  }
  process.once('uncaughtException', ended)
  await watch.during(sleep(1000))
  told(`${role}: nothing else`, await watch.during(sleep(2000)))
  for (const one of worst) {
    const work = post(one)
    told(one[0], await watch.during(work), `   (${await work})`)
  }
  const all = Promise.all([...worst, ...worst].map(post))
  told('all of them, twice, at once', await watch.during(all), `   (${await all})`)
  const lists = Promise.all([...read, ...read].map((path) => bad.get(path)))
  told('his longest lists', await watch.during(lists))
  const { body } = await bad.get('/v2/inference?limit=1000')
  const cancels = Promise.all(
    body.results.map((run: any) => bad.post(`/v2/inference/${run.id}/cancel`)),
  )
  told('cancels of all', await watch.during(cancels))
  console.log(
    `${role}: the slowest answer to a small GET under the worst bodies: ${slowest.toFixed(0)} ms`,
  )
  await watch.end()
  process.removeListener('uncaughtException', ended)
  api.alive()
  await api.end('SIGTERM')
}
