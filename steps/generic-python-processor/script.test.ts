import { expect, test } from 'vitest'
import { PlanError } from '../errors.ts'
import { readBlock } from './block.ts'
import { decodeScript, readScript, scriptName } from './script.ts'

const GUARD = 'if __name__ == "__main__":\n    pass\n'
const bytes = (text: string, encoding: BufferEncoding = 'utf8') => Buffer.from(text, encoding)
const codeOf = (act: () => unknown): string => {
  try {
    act()
    return 'ok'
  } catch (error) {
    if (error instanceof PlanError) return error.code
    throw error
  }
}

test.each([
  ['my script (1).py', 'my script _1_.py'],
  ['C:\\work\\a.py', 'a.py'],
  ['../../etc/a.py', 'a.py'],
  ['größe.py', 'gr__e.py'],
  ['.hidden.py', 'hidden.py'],
  ['--help.py', 'help.py'],
])('the script %s is called %s', (given, name) => expect(scriptName(given)).toBe(name))

test.each(['a.txt', 'a.py.exe', '', '.py', `${'x'.repeat(101)}.py`])(
  'the file name %s is refused by name',
  (name) => expect(codeOf(() => scriptName(name))).toBe('processor.file_name'),
)

test('a byte-order mark is taken off, and a declared encoding is read and then says UTF-8', () => {
  expect(decodeScript(bytes(`\uFEFF${GUARD}`))).toBe(GUARD)
  const latin = `#!/usr/bin/python\r\n# -*- coding: latin-1 -*-\r\n# größe\r\n${GUARD}`
  expect(decodeScript(bytes(latin, 'latin1'))).toBe(latin.replace('latin-1', 'utf-8'))
  expect(decodeScript(bytes(`# vim: set fileencoding=cp1252 :\ns = "é"\n`, 'latin1'))).toContain(
    'é',
  )
  // Only the first two lines declare, and the second only after a comment or nothing.
  expect(codeOf(() => decodeScript(bytes('x = 1\n# coding: latin-1\ns = "é"', 'latin1')))).toBe(
    'processor.encoding',
  )
  for (const wrong of ['s = "é"', '# coding: klingon\ns = 1'])
    expect(codeOf(() => decodeScript(bytes(wrong, 'latin1')))).toBe('processor.encoding')
  expect(codeOf(() => decodeScript(bytes('a\0b')))).toBe('processor.encoding')
})

test.each([
  [GUARD, 'ok'],
  ["if '__main__' == __name__: main()\n", 'ok'],
  ['if (__name__ ==  # why not\n    "__main__"):\n  pass\n', 'ok'],
  ['print("__main__")\n', 'processor.no_main'],
  ['def f():\n    if __name__ == "__main__":\n        pass\n', 'processor.no_main'],
])('a guard is found where one is: %j', (script, code) =>
  expect(codeOf(() => readScript(bytes(script)))).toBe(code),
)

test('a hostile script of 10 MiB costs the doors no more than its size', () => {
  const most = 10 * 1024 * 1024 - 1000
  const lines = (line: string) => line.repeat(most / line.length)
  const plain = performance.now()
  readScript(bytes(lines('x = 1\n') + GUARD))
  const unit = performance.now() - plain
  for (const line of ['if (', 'if (\n', 'if __name__\n', '# /// script x\n', '#'.repeat(99)]) {
    const began = performance.now()
    codeOf(() => readScript(bytes(lines(line))))
    expect(performance.now() - began, line).toBeLessThan(20 * unit + 200)
  }
  expect(codeOf(() => readScript(Buffer.alloc(most + 1001, 'x')))).toBe('processor.too_large')
})

const block = (...lines: string[]) => `import x\n# /// script\n${lines.join('\n')}\n# ///\n${GUARD}`

test('the block of PEP 723 is read: Python, names with versions, extras and markers', () => {
  const script = block(
    '# requires-python = ">=3.11, <3.13"',
    '# dependencies = [',
    '#   "rich",',
    '#   "dask[array,distributed] >= 2024.1, != 2024.5.1",',
    '#   \'tomli>=2; python_version < "3.11"\',',
    '#   "spyndex==0.6.*",',
    '# ]',
    '#',
    '# [tool.other]',
    '# key = 1',
  )
  expect(readBlock(script)).toEqual({
    requires_python: '>=3.11, <3.13',
    dependencies: [
      'rich',
      'dask[array,distributed] >= 2024.1, != 2024.5.1',
      'tomli>=2; python_version < "3.11"',
      'spyndex==0.6.*',
    ],
  })
  expect(readBlock(script.replaceAll('\n', '\r\n'))).toEqual(readBlock(script))
  expect(readBlock(GUARD)).toBeNull()
})

test.each([
  'git+https://example.org/x',
  'x @ https://example.org/x.whl',
  'x @ file:///etc/passwd',
  'https://example.org/x.whl',
  './x',
  '../x.whl',
  '/etc/x',
  '--index-url=https://example.org',
  '-r /etc/passwd',
  'x --hash=sha256:00',
  'x\n--index-url https://example.org',
  'x; $(touch y)',
  '${HOME}',
  'x>=',
  'x'.repeat(80),
  '',
])('the dependency %j is refused', (dependency) =>
  expect(codeOf(() => readBlock(block(`# dependencies = [${JSON.stringify(dependency)}]`)))).toBe(
    'processor.dependencies',
  ),
)

test.each([
  ['not TOML', block('# dependencies = [')],
  ['a list that is none', block('# dependencies = "numpy"')],
  ['a Python that is no version', block('# requires-python = "newest"')],
  ['two blocks', block('# dependencies = []') + block('# dependencies = []')],
  ['no end', `# /// script\n# dependencies = []\n${GUARD}`],
  ['too many', block(`# dependencies = [${'"a", '.repeat(51)}]`)],
])('a block with %s is refused', (_, script) =>
  expect(codeOf(() => readBlock(script))).toBe('processor.dependencies'),
)
