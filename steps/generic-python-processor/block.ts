import { parse } from 'smol-toml'
import { z } from 'zod'
import { PlanError } from '../errors.ts'

/** What a script asks for beside the image's libraries. */
export interface ScriptBlock {
  /** Version specifiers of PEP 440; null where it says nothing */
  readonly requires_python: string | null
  /** Names with extras, versions and markers, never URLs */
  readonly dependencies: readonly string[]
}

const MOST_DEPENDENCIES = 50
const LONGEST_BLOCK = 20_000
const NAME = '[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?'
const VERSION = '(?:~=|===?|!=|<=?|>=?) ?[0-9A-Za-z][0-9A-Za-z.*+!_-]{0,63}'
const VERSIONS = `${VERSION}(?: ?, ?${VERSION}){0,9}`
const EXTRAS = `\\[ ?${NAME}(?: ?, ?${NAME}){0,9} ?\\]`
const MARKER = `; ?[A-Za-z0-9_.'"<>=!~, ()-]{1,200}`
/** A requirement by name (dependency specifiers of PEP 508, without its URLs). */
const DEPENDENCY = new RegExp(
  `^${NAME} ?(?:${EXTRAS})? ?(?:${VERSIONS}|\\( ?${VERSIONS} ?\\))? ?(?:${MARKER})?$`,
)
const SPECIFIERS = new RegExp(`^${VERSIONS},? ?$`)

const refuse = (message: string): never => {
  throw new PlanError('processor.dependencies', message)
}

const block = z.object({
  'requires-python': z.string().max(200).optional(),
  dependencies: z.array(z.string()).max(MOST_DEPENDENCIES).default([]),
})

/** The comment block `# /// script`, without its marks; undefined where there is none (PEP 723). */
const blockText = (script: string): string | undefined => {
  const starts = [...script.matchAll(/^# \/\/\/ script[ \t]*\r?$/gm)]
  if (starts.length === 0) return undefined
  if (starts.length > 1) refuse('the script has more than one block `# /// script`: keep one')
  const rest = script.slice(starts[0]!.index, starts[0]!.index + LONGEST_BLOCK)
  const lines = rest.split(/\r?\n/).slice(1)
  const past = lines.findIndex((line) => !/^#(?: |$)/.test(line))
  const comments = past < 0 ? lines : lines.slice(0, past)
  const end = comments.lastIndexOf('# ///')
  if (end < 0) refuse('the block `# /// script` does not end: close it with a line `# ///`')
  return comments
    .slice(0, end)
    .map((line) => line.slice(2))
    .join('\n')
}

const parsed = (text: string): z.output<typeof block> => {
  let document: unknown
  try {
    document = parse(text)
  } catch (error) {
    return refuse(
      `the block \`# /// script\` is not TOML: ${(error as Error).message.split('\n')[0]!.slice(0, 200)}`,
    )
  }
  const result = block.safeParse(document)
  if (result.success) return result.data
  const { path, message } = result.error.issues[0]!
  return refuse(`${path.join('.')} of the block \`# /// script\`: ${message}`)
}

/**
 * The script's own metadata (PEP 723), checked: wheels by name only.
 *
 * A URL, a path, a version control address or an option of pip is refused.
 *
 * @returns null where the script has none
 * @throws PlanError `processor.dependencies`
 */
export const readBlock = (script: string): ScriptBlock | null => {
  const text = blockText(script)
  if (text === undefined) return null
  const { dependencies, 'requires-python': python } = parsed(text)
  const bad = dependencies.findIndex((one) => one.length > 400 || !DEPENDENCY.test(one.trim()))
  if (bad >= 0)
    refuse(
      `dependencies[${bad}], ${JSON.stringify(dependencies[bad]!.slice(0, 100))}, is not a name with versions such as "shapely>=2": no URLs, paths or options`,
    )
  if (python !== undefined && !SPECIFIERS.test(python.trim()))
    refuse(`requires-python, ${JSON.stringify(python)}, is not a version such as ">=3.11"`)
  return { requires_python: python ?? null, dependencies: dependencies.map((one) => one.trim()) }
}
