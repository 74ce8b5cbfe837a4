import { Client, type Service, water } from '../support/api.ts'

const ROUNDS = 5

const median = (all: number[]): number => all.sort((a, b) => a - b)[Math.floor(all.length / 2)]!

/** Requests a second, `at` of them at a time. */
const rate = async (client: Client, path: string, count: number, at: number): Promise<number> => {
  let left = count
  const began = performance.now()
  const worker = async () => {
    while (left-- > 0) {
      const { status } = await client.get(path)
      if (status !== 200) throw new Error(`GET ${path}: ${status}`)
    }
  }
  await Promise.all(Array.from({ length: at }, worker))
  return count / ((performance.now() - began) / 1000)
}

/**
 * What the rate limit costs: the same reads of one user at an API that counts them and at one that
 * does not, in turns, so that what else this machine does falls on both.
 */
export const costOfLimit = async (service: Service): Promise<void> => {
  const counted = await service.launch('api', {
    ...{ RATELIMIT_ENABLED: 'true', RATELIMIT_LIMIT: '1000000' },
  })
  const free = await service.launch('api')
  const client = await service.client(free.url, 'limit@example.org')
  const { body } = await client.post('/v2/inference', water('https://host.example.org/a.tif'))
  const path = `/v2/inference/${body.id}`
  const clients = [client, new Client(counted.url, client.key)] as const
  for (const [name, count, at] of [
    ['16 at a time', 1000, 16],
    ['one by one', 300, 1],
  ] as const) {
    const rates: [number[], number[]] = [[], []]
    for (let round = 0; round <= ROUNDS; round++)
      for (const n of [0, 1] as const) {
        const found = await rate(clients[n], path, count, at)
        // The first round warms both.
        if (round) rates[n].push(found)
      }
    const [without, withLimit] = rates.map(median) as [number, number]
    console.log(
      `rate limit, ${name}: ${without.toFixed(0)} requests/s without, ${withLimit.toFixed(0)} with it: ` +
        `${(without / withLimit).toFixed(2)} times the time, ${(1000 * at * (1 / withLimit - 1 / without)).toFixed(2)} ms a request`,
    )
  }
  await Promise.all([counted.end('SIGTERM'), free.end('SIGTERM')])
}
