import { basename } from 'node:path'
import { HttpError } from '../http/errors.ts'

const LARGEST = 10 * 1024 * 1024

/** The file's own name, without folders. @throws HttpError 422 unless it ends in .py */
export const scriptName = (name: string): string => {
  const base = basename(name.replaceAll('\\', '/')).replace(/[^\w .-]/g, '_')
  if (!/^\w[\w .-]*\.py$/.test(base) || base.length > 100)
    throw new HttpError(422, [
      {
        type: 'value_error',
        loc: ['body', 'generic_processor_file'],
        msg: `Value error, the processor's file name must end in .py and have at most 100 characters, not ${JSON.stringify(base.slice(0, 100))}`,
      },
    ])
  return base
}

const refuse = (msg: string): never => {
  throw new HttpError(422, [
    { type: 'value_error', loc: ['body', 'generic_processor_file'], msg: `Value error, ${msg}` },
  ])
}

/** `if "__main__" == __name__` and the like, squeezed; as steps/generic-python-processor reads it. */
const GUARDS = [
  /^__name__==[rRuU]?("""|'''|"|')__main__\1$/,
  /^[rRuU]?("""|'''|"|')__main__\1==__name__$/,
]

const hasGuard = (text: string): boolean => {
  // Line continuations and comments may stand inside of a condition.
  const code = text.replace(/\\\r?\n/g, ' ').replace(/#.*$/gm, '')
  const conditions = code.matchAll(/^if\b([^:]{1,200}):/gm)
  return [...conditions].some(([, test]) => {
    const squeezed = test!.replace(/[\s()]/g, '')
    return GUARDS.some((guard) => guard.test(squeezed))
  })
}

/**
 * What can be seen without running Python: size, text, a `__main__` guard.
 *
 * Syntax is checked by Python itself, in the step's sandbox (processor.syntax).
 *
 * @returns the script without a byte-order mark, on which Python's `ast.parse` would stumble
 * @throws HttpError 413 above 10 MiB, 422 otherwise
 */
export const checkScript = (bytes: Buffer): Buffer => {
  if (bytes.length > LARGEST)
    throw new HttpError(413, 'The processor is larger than 10 MiB: a script should be small.')
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return refuse('the processor is not UTF-8 text')
  }
  if (text.includes('\0')) refuse('the processor holds a NUL byte')
  if (!hasGuard(text)) refuse('the processor has no entry point: add `if __name__ == "__main__":`')
  return Buffer.from(text)
}
