import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { StoreError } from '../../api/storage/errors.ts'
import { parseCatalogues } from '../../connectors/operator.ts'
import { sldOf } from '../../steps/push-to-geoserver/program/sld.ts'
import { TRANSIENT } from '../../pipelines/compose.ts'
import { parseModel } from '../../pipelines/model.ts'

const root = join(import.meta.dirname, '../..')
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((name) => name && existsSync(join(root, name)))
const read = (name: string): string => readFileSync(join(root, name), 'utf8')
const pages = tracked.filter((name) => /^([A-Z]+|docs\/[\w-]+|engine\/README)\.md$/.test(name))
const shipped = tracked.filter(
  (name) =>
    /\.(ts|py)$/.test(name) && !/\.test\.ts$|(^|\/)(test_\w+|conftest)\.py$|^test\//.test(name),
)

/** As GitHub makes it of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/`/g, '')
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replace(/ /g, '-')
const anchorsOf = (page: string): string[] =>
  [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!))

/** Why a link of a page leads nowhere; undefined where it leads somewhere. */
const broken = (page: string, link: string): string | undefined => {
  const [path, anchor] = link.split('#')
  const target = path ? normalize(join(dirname(page), path)) : page
  if (!existsSync(join(root, target))) return `${page}: ${link}: no such file`
  if (anchor && !anchorsOf(target).includes(anchor)) return `${page}: ${link}: no such heading`
  return undefined
}

test('every link in the docs and the README leads somewhere', () => {
  const links = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => [page, link!] as const),
  )
  expect(links.length).toBeGreaterThan(20)
  const inside = links.filter(([, link]) => !/^(https?|mailto):/.test(link))
  expect(inside.map(([page, link]) => broken(page, link)).filter(Boolean)).toEqual([])
  expect(broken('README.md', 'docs/none.md')).toContain('no such file')
  expect(broken('docs/wire.md', '#none')).toContain('no such heading')
})

test('what code says of a page of the docs is there', () => {
  const named = tracked
    .filter((name) => /\.(ts|py|sh|ya?ml|json)$/.test(name) && name !== 'package-lock.json')
    .flatMap((name) =>
      [...read(name).matchAll(/\bdocs\/[\w-]+\.md(#[a-z-]+)?/g)].map(([link]) => [name, link]),
    )
    .filter(([name]) => name !== 'test/unit/docs.test.ts')
  expect(named.length).toBeGreaterThan(10)
  const wrong = named.flatMap(([name, link]) => {
    const why = broken('README.md', link!)
    return why ? [`${name}: ${why}`] : []
  })
  expect(wrong).toEqual([])
})

const KINDS = [
  ...['artifact', 'catalogue', 'connector', 'engine', 'geoserver', 'mask', 'model', 'plan'],
  ...['postprocess', 'preview', 'processor', 'quota', 'request', 'source', 'step', 'store'],
  ...['task', 'terratorch', 'tune'],
]
const QUOTED = new RegExp(`['"\`]((?:${KINDS.join('|')})\\.[a-z][a-z_]+)(?=['"\`:])`, 'g')
const FILES = /\.(json|tif|png|onnx|txt|part|py|md|yaml|ckpt)$/

/** Codes that the program's texts hold; files' names are not codes. */
const codesOf = (text: string): string[] =>
  [...text.matchAll(QUOTED)].map(([, code]) => code!).filter((code) => !FILES.test(code))

/** Names of the same form that are none: columns in quotes. */
const NO_CODES = new Set(['processor.id'])

test('docs/errors.md and docs/processors.md list each code that can come out, and no other', () => {
  const thrown = new Map<string, string>()
  for (const name of shipped) for (const code of codesOf(read(name))) thrown.set(code, name)
  const listed = new Set(
    ['docs/errors.md', 'docs/processors.md'].flatMap((page) =>
      read(page)
        .split('\n')
        .filter((line) => line.startsWith('| `'))
        .flatMap((line) => codesOf(line.split('|')[1]!)),
    ),
  )
  expect(listed.size).toBeGreaterThan(100)
  const missing = [...thrown].filter(([code]) => !listed.has(code) && !NO_CODES.has(code))
  expect(missing, 'add them to docs/errors.md, with cause and cure').toEqual([])
  expect([...listed].filter((code) => !thrown.has(code))).toEqual([])
})

/** Codes that a runner tries again: by the pipeline's list, a catalogue's mark, the store, planning. */
const passing = (): string[] => {
  const connectors = tracked.filter((name) => /^connectors\/.*\.ts$/.test(name)).map(read)
  const marked = connectors.flatMap((text) =>
    [...text.matchAll(/new ConnectorError\(([^;]+?)mayPass: true/g)].map(
      ([, call]) => /'(\w+\.\w+)'(?![^]*new ConnectorError)/.exec(call!)![1]!,
    ),
  )
  expect(new Set(marked)).toContain('catalogue.timeout')
  const ofStore = [...read('api/storage/errors.ts').matchAll(/'(store\.\w+)'/g)]
    .map(([, code]) => code!)
    .filter((code) => new StoreError(code, '').passes)
  const planning = /code: '(plan\.\w+)'[^]{0,80}recorder\.retry/.exec(read('api/runs/runner.ts'))!
  return [...new Set([...TRANSIENT, ...marked, ...ofStore, planning[1]!])].sort()
}

test('a code is marked as passing exactly where it is tried again', () => {
  const rows = ['docs/errors.md', 'docs/processors.md']
    .flatMap((page) => read(page).split('\n'))
    .filter((line) => line.startsWith('| `') && line.includes('*passes*'))
  expect(rows.flatMap((line) => codesOf(line.split('|')[1]!)).sort()).toEqual(passing())
})

/** A setting's number as people write it: 20_000 in code is 20,000 in the docs. */
const written = (digits: string): string => Number(digits.replace(/_/g, '')).toLocaleString('en')

test('docs/operations.md lists each setting with its number, and no other', () => {
  const sources = ['api/config.ts', 'api/data/catalogue.ts'].map(read).join('\n')
  const settings = [...sources.matchAll(/^  ([A-Z][A-Z0-9_]+): (.+)$/gm)]
  expect(settings.length).toBeGreaterThan(50)
  const rows = read('docs/operations.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  for (const [, name, schema] of settings) {
    const row = rows.find((line) => line.split('|')[1]!.includes(`\`${name}\``))
    expect(row, `${name} is not in docs/operations.md`).toBeDefined()
    const number = /(?:count|default)\(([\d_]+)\)/.exec(schema!)?.[1]
    if (number)
      expect(
        [written(number), number].some((text) => row!.includes(text)),
        row,
      ).toBe(true)
  }
  const listed = rows.flatMap((line) => [...line.split('|')[1]!.matchAll(/`([A-Z][A-Z0-9_]+)`/g)])
  const known = settings.map(([, name]) => name)
  expect(listed.map(([, name]) => name).filter((name) => !known.includes(name))).toEqual([])
})

/** Code blocks of a language. */
const blocks = (page: string, language: string): string[] =>
  [...read(page).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(
    ([, text]) => text!,
  )

test('the examples of the docs are read by what reads them', () => {
  const [model, styles] = blocks('docs/models.md', 'yaml')
  expect(parseModel(model!).display_name).toBe('my-water')
  const { geoserver_push } = parse(styles!) as { geoserver_push: { geoserver_style: object }[] }
  for (const { geoserver_style } of geoserver_push)
    expect(sldOf('w:l', geoserver_style)).toContain('<RasterSymbolizer>')
  const [own] = blocks('docs/catalogues.md', 'yaml')
  expect(parseCatalogues(JSON.stringify(parse(own!)))[0]!.connector).toBe('mine')
})

const kebab = (name: string): string => name.replace(/[A-Z]/g, (sign) => `-${sign.toLowerCase()}`)

/** The module's functions, and the options of each, as `dagger call` names them. */
const functions = (): Map<string, string[]> =>
  new Map(
    read('src/index.ts')
      .split('@func(')
      .slice(1)
      .map((text) => {
        const [, name, parameters] = /^  (?:async )?(\w+)\(([^]*?)\): /m.exec(text)!
        const options = [...parameters!.matchAll(/^    (\w+)\??: /gm)]
        return [kebab(name!), options.map(([, option]) => kebab(option!))]
      }),
  )

test('commands in the docs and the examples name functions, options and scripts that there are', () => {
  const known = functions()
  expect(known.get('run-inference')).toContain('processor-parameters')
  const scripts = Object.keys(JSON.parse(read('package.json')).scripts)
  const texts = [...pages, ...tracked.filter((name) => name.startsWith('examples/ci/'))]
    .filter((name) => name !== 'CHANGELOG.md')
    .map((name) => [name, read(name).replace(/ *\\\n *|\n +(?=--|outputs )/g, ' ')] as const)
  const wrong: string[] = []
  let seen = 0
  for (const [page, text] of texts) {
    for (const [, name, rest] of text.matchAll(
      /dagger [^\n`]*?\bcall (?!-m examples)(?:-m \S+ )?([a-z][\w-]+)([^\n`]*)/g,
    )) {
      seen++
      const options = known.get(name!)
      if (!options) wrong.push(`${page}: dagger call ${name}`)
      for (const [, option] of rest!.matchAll(/ --([\w-]+)/g))
        if (![...(options ?? []), 'path', 'help'].includes(option!))
          wrong.push(`${page}: dagger call ${name} --${option}`)
    }
    for (const [, script] of text.matchAll(/npm run (?:-s )?([a-z][\w:-]*)/g))
      if (!scripts.includes(script!)) wrong.push(`${page}: npm run ${script}`)
  }
  expect(seen).toBeGreaterThan(12)
  expect(wrong).toEqual([])
})

test('the README is a page, and nothing in the repository points out of it', () => {
  expect(read('README.md').split('\n').length).toBeLessThanOrEqual(120)
  const texts = tracked.filter(
    (name) => !/\.(png|onnx|tif|sum)$/.test(name) && name !== 'test/unit/docs.test.ts',
  )
  const own = pages.map((page) => page.split('/').at(-1)!)
  const foreign = /\b(contract|DESIGN|style|connectors|terratorch|geoserver)\.md\b/
  const beside = /\.\.\/shared/
  const found = texts.filter((name) => {
    const cited = foreign.exec(read(name))?.[0]
    return (cited && !own.includes(cited)) || (beside.test(read(name)) && name !== '.ci/run')
  })
  expect(found).toEqual([])
})
