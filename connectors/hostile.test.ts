import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { stacItem } from '../test/support/stac-items.ts'
import { isPublic } from './address.ts'
import { findRow } from './catalogue.ts'
import { freeze } from './freeze.ts'
import { type ClientOptions, secureClient } from './http.ts'
import { rawItem } from './metadata.ts'

const PRIVATE = [
  ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '127.0.0.1', '127.255.255.254', '169.254.169.254'],
  ...['172.16.0.1', '172.31.255.255', '192.0.0.1', '192.0.2.1', '192.88.99.1', '192.168.1.1'],
  ...['198.18.0.1', '198.51.100.7', '203.0.113.9', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
  ...['::', '::1', '::127.0.0.1', '::8.8.8.8', '::ffff:10.0.0.1', '::ffff:7f00:1', 'fe80::1'],
  ...['fe80::1%eth0', 'fc00::1', 'fd00:ec2::254', 'ff02::1', '64:ff9b::10.0.0.1', '100::1'],
  ...['64:ff9b:1::8.8.8.8', '2001:db8::1', '2001::1', '2001:0:a00:1::', '2001:10::1', '3fff::1'],
  ...['2002:a00:1::', '2002:7f00:1::1', '2001:0:808:808:0:0:f5ff:fffe', '5f00::1', '4000::1'],
  ...['2606:4700::5efe:a00:1', '2606:4700::200:5efe:7f00:1', '', 'localhost', '1.2.3', '0x7f.1'],
  ...['168.63.129.16', '::ffff:168.63.129.16', '3ffe::1', '64:ff9b:0:1::8.8.8.8'],
  ...['2606:4700::100:5efe:a00:1', '2606:4700::300:5efe:7f00:1', '::ffff:0:8.8.8.8', '::1.1.1.1'],
  ...['2606:4700::1111%eth0', '::ffff:ffff:8.8.8.8', '0:0:0:0:0:ffff:a9fe:a9fe', 'fd20:ce::254'],
  ...['2002:c0a8:101::1', '2002:a9fe:a9fe::', 'ff05::2', '100.100.100.200', '192.0.0.192'],
  ...['2001:4:112::1', '64:ff9b::a9fe:a9fe', '::ffff:0:127.0.0.1', '::10.0.0.1', 'fec0::1'],
]
test.each(PRIVATE)('%s is not public', (address) => expect(isPublic(address)).toBe(false))
test.each([
  ...['8.8.8.8', '172.32.0.1', '100.128.0.1', '192.0.1.1', '2606:4700::1111', '2a00:1450::1'],
  ...['::ffff:8.8.8.8', '64:ff9b::8.8.8.8', '2002:808:808::1'],
])('%s is public', (address) => expect(isPublic(address)).toBe(true))

/** A server that must not be reached: how often it was. */
const serve = async (answer: RequestListener = (_, response) => void response.end('{}')) => {
  const asked: { path: string; headers: Record<string, unknown> }[] = []
  const server = createServer((request, response) => {
    asked.push({ path: request.url!, headers: request.headers })
    answer(request, response)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, asked }
}
const public_: ClientOptions = { hosts: [] }
const codeOf = (options: ClientOptions, url: string) =>
  secureClient(options)({ url, signal: AbortSignal.timeout(120_000) }).then(
    () => 'answered',
    (error) => error.code ?? String(error),
  )

test('forms of a private address in a URL: none is asked', async () => {
  const { port, asked } = await serve()
  const hosts = ['127.0.0.1', '127.1', '0x7f000001', '2130706433', '0177.0.0.1', '127.0.0.1.', '0']
  const six = ['[::1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[64:ff9b::127.0.0.1]', '[::]']
  const odd = ['①②⑦.0.0.1', '127。0。0。1', '%31%32%37.0.0.1']
  for (const host of [...hosts, ...six, ...odd])
    for (const scheme of ['https', 'http'])
      expect(await codeOf({ ...public_, ports: [port] }, `${scheme}://${host}:${port}/x`)).toMatch(
        /^catalogue\.(forbidden_host|bad_url)$/,
      )
  expect(asked).toEqual([])
})

test.each([
  ['file:///etc/passwd', 'catalogue.bad_url'],
  ['ftp://example.org/x', 'catalogue.bad_url'],
  ['gopher://example.org/x', 'catalogue.bad_url'],
  ['data:application/json,{}', 'catalogue.bad_url'],
  ['//example.org/x', 'catalogue.bad_url'],
  ['http://example.org/x', 'catalogue.bad_url'],
  ['https://user@example.org/x', 'catalogue.bad_url'],
  ['https://:pw@example.org/x', 'catalogue.bad_url'],
  ['https://example.org:22/x', 'catalogue.forbidden_host'],
  ['https://example.org:6379/x', 'catalogue.forbidden_host'],
  ['https://example.org:5432/x', 'catalogue.forbidden_host'],
])('%s: %s', async (url, code) => expect(await codeOf(public_, url)).toBe(code))

test.each(['evil.example.com', 'x.org.evil.com', 'notx.org', 'xx.org'])(
  '%s is not under x.org',
  async (host) => {
    const never = () => Promise.reject(new Error('resolved'))
    expect(await codeOf({ hosts: ['x.org'], resolve: never }, `https://${host}/`)).toBe(
      'catalogue.forbidden_host',
    )
  },
)

test.each([
  ['one private address', ['10.0.0.1']],
  ['a private one among public ones', ['8.8.8.8', '10.0.0.1']],
  ['a mapped one', ['::ffff:169.254.169.254']],
  ['none', []],
])('a name that resolves to %s is not asked', async (_, addresses) => {
  const { port, asked } = await serve()
  const resolve = async () =>
    addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  expect(
    await codeOf({ hosts: [], ports: [port], resolve }, `https://rebind.example.org:${port}/`),
  ).toBe('catalogue.forbidden_host')
  expect(asked).toEqual([])
})

test('a name is resolved once a connection: the address that was checked is the one that is asked', async () => {
  const { port, asked } = await serve()
  let times = 0
  const resolve = async () => [{ address: times++ ? '10.0.0.1' : '127.0.0.1', family: 4 }]
  const answer = await codeOf(
    { hosts: [], allowPrivate: true, resolve },
    `http://name.example:${port}/`,
  )
  expect([answer, times, asked.length]).toEqual(['answered', 1, 1])
})

test('redirects: each is checked, five at most, a token stays on its host', async () => {
  const second = await serve()
  const to = (location: string) =>
    serve((_, response) => void response.writeHead(302, { Location: location }).end())
  const here = { hosts: ['127.0.0.1'], allowPrivate: true }
  const ask = (port: number, options: ClientOptions = here) =>
    codeOf(options, `http://127.0.0.1:${port}/a`)
  for (const location of ['http://localhost:1/', 'https://evil.example.org/', 'http://[::1]/'])
    expect(await ask((await to(location)).port)).toBe('catalogue.forbidden_host')
  for (const location of ['file:///etc/passwd', 'http://u:p@127.0.0.1/', 'ftp://127.0.0.1/'])
    expect(await ask((await to(location)).port)).toBe('catalogue.bad_url')
  const round = await to('/again')
  expect(await ask(round.port)).toBe('catalogue.refused')
  expect(round.asked).toHaveLength(6)
  const away = await to(`http://127.0.0.1:${second.port}/b`)
  const headers = { Authorization: 'Bearer secret', 'Ocp-Apim-Subscription-Key': 'secret' }
  await secureClient(here)({ url: `http://127.0.0.1:${away.port}/a`, headers })
  expect(away.asked[0]!.headers.authorization).toBe('Bearer secret')
  expect(JSON.stringify(second.asked[0])).not.toContain('secret')
})

test('a redirect in UTF-8 leads where its server means', async () => {
  const location = Buffer.from('/räume/日本?q=ü').toString('latin1')
  const { port, asked } = await serve((request, response) =>
    request.url === '/a'
      ? void response.writeHead(302, { Location: location }).end()
      : void response.end('{}'),
  )
  expect(await codeOf({ hosts: [], allowPrivate: true }, `http://127.0.0.1:${port}/a`)).toBe(
    'answered',
  )
  expect(asked.at(-1)!.path).toBe('/r%C3%A4ume/%E6%97%A5%E6%9C%AC?q=%C3%BC')
})

test('a body beyond its bound, one that never ends, and a silent server', async () => {
  const here = { hosts: [], allowPrivate: true }
  const endless = await serve((_, response) => {
    const timer = setInterval(() => response.write('x'.repeat(65536)), 1)
    response.on('close', () => clearInterval(timer))
  })
  const send = secureClient(here)
  await expect(
    send({ url: `http://127.0.0.1:${endless.port}/`, maxBytes: 1_000_000 }),
  ).rejects.toMatchObject({ code: 'catalogue.too_large' })
  const silent = await serve(() => undefined)
  await expect(
    send({ url: `http://127.0.0.1:${silent.port}/`, signal: AbortSignal.timeout(200) }),
  ).rejects.toMatchObject({ name: 'TimeoutError' })
  expect(await codeOf(here, 'http://127.0.0.1:1/')).toBe('catalogue.unreachable')
})

test('a body in a coding that nobody asked for is read; a bomb, a wrong and an unknown one are not', async () => {
  const text = JSON.stringify({ features: [] })
  const bomb = Buffer.alloc(50_000_000)
  const broken = gzipSync(text).subarray(0, 20)
  const ask = async (coding: string, body: Buffer, more: object = {}) => {
    const { port } = await serve(
      (_, response) => void response.writeHead(200, { 'Content-Encoding': coding }).end(body),
    )
    const send = secureClient({ hosts: [], allowPrivate: true })
    return send({ url: `http://127.0.0.1:${port}/`, ...more }).then(
      (answer) => answer.text,
      (error) => error.code,
    )
  }
  expect(await ask('gzip', gzipSync(text))).toBe(text)
  expect(
    await ask('X-GZip', Buffer.concat([gzipSync(text.slice(0, 3)), gzipSync(text.slice(3))])),
  ).toBe(text)
  expect(await ask('deflate', deflateSync(text))).toBe(text)
  expect(await ask('br', brotliCompressSync(text))).toBe(text)
  expect(await ask('gzip, br', brotliCompressSync(gzipSync(text)))).toBe(text)
  expect(await ask('identity', Buffer.from(text))).toBe(text)
  for (const coding of ['gzip', 'gzip, gzip']) {
    const packed = coding === 'gzip' ? gzipSync(bomb) : gzipSync(gzipSync(bomb))
    expect(await ask(coding, packed, { maxBytes: 1_000_000 })).toBe('catalogue.too_large')
  }
  expect(await ask('gzip', Buffer.from(text))).toBe('catalogue.bad_answer')
  expect(await ask('br', Buffer.from(text))).toBe('catalogue.bad_answer')
  expect(await ask('gzip', broken)).toBe('catalogue.bad_answer')
  expect(await ask('zstd', Buffer.from(text))).toBe('catalogue.bad_answer')
  expect(await ask('gzip, gzip, gzip', Buffer.from(text))).toBe('catalogue.bad_answer')
})

const row = findRow('sentinel_aws', 'sentinel-2-l2a')!
const leftOut = (href: string, of = row): string => {
  const item = stacItem({
    id: 'A',
    datetime: '2024-06-10T10:50:31.024Z',
    assets: { red: { href } },
  })
  const frame = { row: of, bbox: [3, 45, 4, 46] as const, bands: ['red'], allowPrivate: false }
  const taken = freeze(rawItem.parse(item), { ...frame, base: 'https://stac.example.org/v1/' })
  return taken && 'leftOut' in taken && taken.forbidden ? taken.leftOut : 'taken'
}
const HREFS = [
  'http://169.254.169.254/x.tif',
  'http://127.0.0.1:80/x.tif',
  'https://10.0.0.1/x.tif',
  'https://[::1]/x.tif',
  'https://0x7f000001/x.tif',
  'https://localhost/x.tif',
  'file:///etc/passwd',
  '/etc/passwd',
  '../../etc/passwd',
  '/vsizip//vsicurl/https://evil.example.org/x.zip/x.tif',
  '/vsicurl/http://169.254.169.254/x.tif',
  'vsicurl/x.tif',
  's3://unknown/x.tif',
  's3://sentinel-cogs/../secret/x.tif',
  's3://__proto__/x',
  's3://constructor/x',
  'gs://bucket/x.tif',
  'az://bucket/x.tif',
  'hdfs://host/x.tif',
  'https://user:pw@sentinel-cogs.s3.us-west-2.amazonaws.com/x.tif',
  'https://sentinel-cogs.s3.us-west-2.amazonaws.com:22/x.tif',
  'http://sentinel-cogs.s3.us-west-2.amazonaws.com/x.tif',
  'https://sentinel-cogs.s3.us-west-2.amazonaws.com.evil.org/x.tif',
  'https://evil.org/sentinel-cogs.s3.us-west-2.amazonaws.com/x.tif',
  'https://evilsentinel-cogs.s3.us-west-2.amazonaws.com/x.tif',
  'https://sentinel-cogs.s3.us-west-2.amazonaws.com@evil.org/x.tif',
  'https://sentinel-cogs.s3.us-west-2.amazonaws.com\\@evil.org/x.tif',
  'https://sentinel-cogs.s3.us-west-2.amazonaws.com/x.tif\nHost: evil',
  'https://sentinel-cogs.s3.us-west-2.amazonaws.com/x.tif?X-Amz-Signature=abc',
  'data:image/tiff;base64,SUkqAA==',
  '<VRTDataset rasterXSize="1"/>',
  'javascript:alert(1)',
  '',
]
test.each(HREFS)('an asset at %j is not taken', (href) => {
  expect(leftOut(href)).toMatch(/^A band red: /)
})
test.each([
  'https://10.0.0.1/x.tif',
  'https://[fd00:ec2::254]/x.tif',
  'http://public.example.org/x.tif',
  'file:///x',
])("an operator's catalogue without a list of hosts: %s is not taken", (href) => {
  expect(leftOut(href, { ...row, hosts: [] })).toMatch(/^A band red: /)
})
test('what is listed is taken', () => {
  expect(leftOut('https://sentinel-cogs.s3.us-west-2.amazonaws.com/x.tif')).toBe('taken')
  expect(leftOut('https://public.example.org/x.tif', { ...row, hosts: [] })).toBe('taken')
})
