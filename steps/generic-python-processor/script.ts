import { PlanError } from '../errors.ts'
import { readBlock } from './block.ts'

/** The rules of a user's script, the same at every door; Python has the last word in the sandbox. */

export const LARGEST_SCRIPT = 10 * 1024 * 1024
const LONGEST_NAME = 100

/**
 * The file's own name, without folders and without what a path or a URL cannot hold.
 *
 * @throws PlanError `processor.file_name`
 */
export const scriptName = (name: string): string => {
  const base = (name.replaceAll('\\', '/').split('/').at(-1) ?? '').replace(/[^\w .-]/g, '_')
  const safe = base.replace(/^[^\w]+/, '')
  if (!/^\w[\w .-]*\.py$/.test(safe) || safe.length > LONGEST_NAME)
    throw new PlanError(
      'processor.file_name',
      `the processor's file name must end in .py and have at most ${LONGEST_NAME} characters, not ${JSON.stringify(base.slice(0, 100))}`,
    )
  return safe
}

/** The encoding that a comment of the first two lines declares (PEP 263), as text in bytes of ASCII. */
const COOKIE = /^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)/
const BLANK = /^[ \t\f]*(?:#|$)/
/** Python's names of encodings that the Encoding Standard calls otherwise. */
const ALIASES: Readonly<Record<string, string>> = {
  utf8: 'utf-8',
  'utf-8-sig': 'utf-8',
  u8: 'utf-8',
  'latin-1': 'iso-8859-1',
  'iso-latin-1': 'iso-8859-1',
  l1: 'iso-8859-1',
  cp1252: 'windows-1252',
  cp1251: 'windows-1251',
  cp1250: 'windows-1250',
  'us-ascii': 'utf-8',
  ascii: 'utf-8',
}

const declared = (bytes: Uint8Array): { line: number; name: string } | undefined => {
  const head = new TextDecoder('latin1').decode(bytes.subarray(0, 4096)).split(/\r\n|\r|\n/, 2)
  for (const [line, text] of head.entries()) {
    const found = COOKIE.exec(text)
    if (found) return { line, name: found[1]!.toLowerCase().replaceAll('_', '-') }
    if (!BLANK.test(text)) return undefined
  }
  return undefined
}

const decode = (bytes: Uint8Array, label: string): string => {
  let decoder: TextDecoder
  try {
    decoder = new TextDecoder(ALIASES[label] ?? label, { fatal: true })
  } catch {
    throw new PlanError(
      'processor.encoding',
      `the script declares the encoding ${label.slice(0, 40)}, which is not known: save it as UTF-8`,
    )
  }
  try {
    return decoder.decode(bytes)
  } catch {
    throw new PlanError(
      'processor.encoding',
      `the script is not ${label} text: save it as UTF-8, or declare its encoding in the first line, such as # -*- coding: latin-1 -*-`,
    )
  }
}

/**
 * The script's text out of its bytes: without a byte-order mark, and with its declaration saying
 * UTF-8, as from here on it is handed on in UTF-8. Lines stay where they are.
 *
 * @throws PlanError `processor.too_large`, `processor.encoding`
 */
export const decodeScript = (bytes: Uint8Array): string => {
  if (bytes.length > LARGEST_SCRIPT)
    throw new PlanError(
      'processor.too_large',
      'the processor is larger than 10 MiB: a script should be small',
    )
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
  const cookie = declared(marked ? bytes.subarray(3) : bytes)
  const text = decode(bytes, marked ? 'utf-8' : (cookie?.name ?? 'utf-8'))
  if (text.includes('\0'))
    throw new PlanError('processor.encoding', 'the script holds a NUL byte: save it as UTF-8')
  if (!cookie || cookie.name === 'utf-8') return text
  const start = cookie.line ? (/\r\n|\r|\n/.exec(text)!.index ?? 0) : 0
  return text.slice(0, start) + text.slice(start).replace(/(coding[:=][ \t]*)[-\w.]+/, '$1utf-8')
}

/** `if "__main__" == __name__` and the like, squeezed; as check.py reads it. */
const GUARDS = [
  /^__name__==[rRuU]?("""|'''|"|')__main__\1$/,
  /^[rRuU]?("""|'''|"|')__main__\1==__name__$/,
]
// Bounds of the search: a script of ten million characters `if (` must not hold up a server.
const MOST_CONDITIONS = 10_000
const LONGEST_CONDITION = 300

/** Whether a `__main__` guard may stand at top level; true where there is too much to look at. */
const mayHaveGuard = (text: string): boolean => {
  let looked = 0
  for (const { index } of text.matchAll(/^if\b/gm)) {
    if (++looked > MOST_CONDITIONS) return true
    // Line continuations and comments may stand inside of a condition.
    const code = text
      .slice(index + 2, index + LONGEST_CONDITION)
      .replace(/\\\r?\n/g, ' ')
      .replace(/#.*$/gm, '')
    const squeezed = code.slice(0, Math.max(0, code.indexOf(':'))).replace(/[\s()]/g, '')
    if (GUARDS.some((guard) => guard.test(squeezed))) return true
  }
  return false
}

/**
 * A script as every door takes it: its text, checked without running Python.
 *
 * Syntax is checked by Python itself, in the step's sandbox (`processor.syntax`).
 *
 * @throws PlanError what decodeScript throws, `processor.no_main`, `processor.dependencies`
 */
export const readScript = (bytes: Uint8Array): string => {
  const text = decodeScript(bytes)
  if (!mayHaveGuard(text))
    throw new PlanError(
      'processor.no_main',
      'the processor has no entry point: add `if __name__ == "__main__":`',
    )
  readBlock(text)
  return text
}
