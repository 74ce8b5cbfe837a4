import { expect, test } from 'vitest'
import { checkScript } from './check.ts'

const GUARD = 'if __name__ == "__main__":\n    print(1)\n'
const timeOf = (text: string): number => {
  const began = performance.now()
  try {
    checkScript(Buffer.from(text))
  } catch {
    // refused, as it should be
  }
  return performance.now() - began
}

test.each([
  'if (\n',
  '__name__ ',
  'if __name__ ',
  'if __name__ == (\n',
  '#\n',
  '\\\n',
  'if x:',
  '"""',
])(
  'a script of eight megabytes of %j takes no longer than plain text of that size allows',
  (piece) => {
    const plain = timeOf('x = 1\n'.repeat(1.4e6))
    expect(timeOf(piece.repeat(8e6 / piece.length))).toBeLessThan(20 * plain + 200)
  },
)

test('a guard after a million conditions is found; one in the middle of a line is none', () => {
  expect(checkScript(Buffer.from('if x:\n  y = 1\n'.repeat(5e5) + GUARD))).toBeTruthy()
  expect(() => checkScript(Buffer.from(`${'x'.repeat(400)} if __name__ == "__main__":`))).toThrow()
})
