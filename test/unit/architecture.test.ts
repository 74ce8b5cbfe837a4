import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const rooms = ['src', 'steps', 'pipelines', 'api', 'connectors', 'scripts', 'test', 'web']
const sources = rooms
  .filter((room) => existsSync(join(root, room)))
  .flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
      .filter(
        (name) =>
          /\.tsx?$/.test(name) &&
          // Generated, or built.
          name !== 'src/openapi.ts' &&
          !name.startsWith('dist/') &&
          !name.includes('typescript-sdk') &&
          !name.includes('node_modules'),
      )
      .map((name) => `${room}/${name}`),
  )

/** What a file imports: packages by name, files by their path from the root. */
const importsOf = (file: string, text: string): string[] =>
  [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, name]) =>
    name!.startsWith('.') ? normalize(join(dirname(file), name!)) : name!,
  )

/** Why `file` may not import `target` (docs/architecture.md); undefined when it may. */
const refusal = (file: string, target: string): string | undefined => {
  const [room, folder, name] = file.split('/')
  const test = file.endsWith('.test.ts')
  if (test || room === 'test' || room === 'scripts') return undefined
  // A browser's program: it knows the API by its document alone.
  if (room === 'web')
    return /^(src|steps|pipelines|api|connectors|scripts|test|node:|@dagger|hono|pg$)/.test(target)
      ? 'web/ knows the API by /openapi.json alone'
      : undefined
  const database = ['pg', 'kysely'].includes(target) || target.startsWith('api/')
  if (room !== 'api' && database) return 'only api/ sees the database'
  if (target.startsWith('src/') && room !== 'src') return 'nothing imports the surface'
  if (target === 'node:child_process' && file !== 'api/database/cluster.ts')
    return 'no process is spawned outside scripts/ and test/, but the embedded Postgres'
  if (room === 'steps' && name) {
    const own = target.startsWith(`steps/${folder}/`)
    if (/^steps\/[^/]+\//.test(target) && !own) return 'a step never imports another step'
    if (target.startsWith('pipelines/')) return 'a step does not know the pipeline'
    if (name === 'contract.ts' && target === '@dagger.io/dagger')
      return 'a contract is free of Dagger'
  }
  if (room === 'pipelines' && !/^pipelines\/(compose|module|module-checks)\.ts$/.test(file)) {
    const effects = /^(@dagger\.io|node:(fs|net|http|https|os|process))|^steps\/registry|step\.ts$/
    if (effects.test(target)) return 'pipelines/ is pure'
  }
  // Packages for data and geometry only: what runs, stores or serves is the caller's.
  if (room === 'connectors' && !/^(connectors\/|node:|zod$|yaml$|polyclip-ts$)/.test(target))
    return 'connectors/ sees catalogues alone'
  if (room === 'api' && folder !== 'runs' && /@dagger\.io|compose\.ts|steps\/registry/.test(target))
    return 'only api/runs/ touches Dagger'
  return undefined
}

test('every import keeps to the rooms', () => {
  const broken = sources.flatMap((file) =>
    importsOf(file, readFileSync(join(root, file), 'utf8')).flatMap((target) => {
      const why = refusal(file, target)
      return why ? [`${file} imports ${target}: ${why}`] : []
    }),
  )
  expect(broken).toEqual([])
})

test('the checker refuses what it should', () => {
  const imported = importsOf(
    'steps/a/step.ts',
    "import { x } from '../b/step.ts'\nimport pg from 'pg'",
  )
  expect(imported.map((target) => refusal('steps/a/step.ts', target))).toEqual([
    'a step never imports another step',
    'only api/ sees the database',
  ])
  expect(refusal('pipelines/plan.ts', '@dagger.io/dagger')).toBe('pipelines/ is pure')
  expect(refusal('connectors/stac.ts', '@dagger.io/dagger')).toBe(
    'connectors/ sees catalogues alone',
  )
  expect(refusal('web/src/api.ts', 'api/http/json.ts')).toBe(
    'web/ knows the API by /openapi.json alone',
  )
  expect(refusal('api/models/x.ts', 'pipelines/compose.ts')).toBe('only api/runs/ touches Dagger')
})

test('the environment is read in api/config.ts, scripts/ and test/ alone, and no file is a drawer', () => {
  for (const file of sources) {
    const text = readFileSync(join(root, file), 'utf8')
    expect(text.split('\n').length, file).toBeLessThanOrEqual(400)
    if (!/^(scripts|test)\/|^api\/config\.ts/.test(file))
      expect(text, file).not.toContain('process.env')
  }
})

test('every step has its files, is registered, and bears the name of its folder', () => {
  const steps = readdirSync(join(root, 'steps'), { withFileTypes: true }).filter((e) =>
    e.isDirectory(),
  )
  for (const { name } of steps) {
    const files = readdirSync(join(root, 'steps', name))
    expect(files, name).toEqual(
      expect.arrayContaining(['contract.ts', 'step.ts', 'program', `${name}.test.ts`]),
    )
    expect(readFileSync(join(root, 'steps', name, 'contract.ts'), 'utf8')).toContain(
      `name: '${name}'`,
    )
    for (const list of ['registry.ts', 'contracts.ts'])
      expect(readFileSync(join(root, 'steps', list), 'utf8'), list).toContain(`'${name}':`)
  }
})

test('the plan and the runner name no step: one more step is its folder and a line in each registry', () => {
  const names = readdirSync(join(root, 'steps'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
  for (const file of sources) {
    const pure = /^(pipelines|api\/runs)\//.test(file)
    if (!pure || file.endsWith('.test.ts')) continue
    const text = readFileSync(join(root, file), 'utf8')
    for (const name of names) expect(text, `${file} names ${name}`).not.toContain(`'${name}'`)
  }
})
