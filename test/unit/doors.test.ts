import type { Client, File } from '@dagger.io/dagger'
import { expect, test } from 'vitest'
import { checkScript, scriptName } from '../../api/processors/check.ts'
import { HttpError } from '../../api/http/errors.ts'
import { readScriptFile } from '../../pipelines/module.ts'
import { PlanError } from '../../steps/errors.ts'

const GUARD = 'if __name__ == "__main__":\n    print("größe")\n'

/** A file and an engine as the command line has them: text loses what is not UTF-8. */
const given = (name: string, bytes: Buffer): [Client, File] => {
  const file = { name: async () => name, contents: async () => bytes.toString('utf8') }
  const reader = { stdout: async () => bytes.toString('base64') }
  const container = {
    from: () => container,
    withMountedFile: () => container,
    withExec: () => reader,
  }
  return [{ container: () => container } as unknown as Client, file as unknown as File]
}
const commandLine = async (name: string, bytes: Buffer): Promise<string> => {
  try {
    const { script, file_name } = await readScriptFile(...given(name, bytes))
    return `${file_name}: ${script}`
  } catch (error) {
    return (error as PlanError).code
  }
}
const rest = (name: string, bytes: Buffer): string => {
  try {
    return `${scriptName(name)}: ${checkScript(bytes).toString('utf8')}`
  } catch (error) {
    const { detail } = error as HttpError
    return /processor\.\w+/.exec(JSON.stringify(detail))![0]
  }
}

test.each([
  ['plain.py', Buffer.from(GUARD), 'plain.py: if'],
  ['bom.py', Buffer.from(`\uFEFF${GUARD}`), 'bom.py: if'],
  ['latin.py', Buffer.from(`# coding: latin-1\n${GUARD}`, 'latin1'), 'latin.py: # coding: utf-8'],
  ['undeclared.py', Buffer.from(GUARD, 'latin1'), 'processor.encoding'],
  ['my script (1).py', Buffer.from(GUARD), 'my script _1_.py: if'],
  ['skript-größe.py', Buffer.from(GUARD), 'skript-gr__e.py: if'],
  ['a.txt', Buffer.from(GUARD), 'processor.file_name'],
  ['nul.py', Buffer.from(`${GUARD}\0`), 'processor.encoding'],
  ['large.py', Buffer.alloc(10 * 1024 * 1024 + 1, '#'), 'processor.too_large'],
])('the command line and the REST API say the same of %s', async (name, bytes, said) => {
  const answer = await commandLine(name, bytes)
  expect(answer.startsWith(said), answer.slice(0, 200)).toBe(true)
  expect(rest(name, bytes)).toBe(answer)
})
