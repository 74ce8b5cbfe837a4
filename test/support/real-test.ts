import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'

// Not in scenes.ts: benches and the chaos program take scenes from there, and have no vitest.
/**
 * A test of rasters that may not be redistributed: an extra to one of seeded scenes.
 *
 * They lie in `GEODAG_TEST_DATA`; without them the test is skipped, and a line says so.
 */
export const realTest = (
  title: string,
  files: readonly string[],
  body: (paths: Readonly<Record<string, string>>) => Promise<void>,
): void => {
  const data = process.env.GEODAG_TEST_DATA
  const missing = files.filter((name) => !data || !existsSync(join(data, name)))
  if (missing.length === 0)
    return void test(title, () =>
      body(Object.fromEntries(files.map((name) => [name, join(data!, name)]))),
    )
  const why = data ? `${data} lacks` : 'GEODAG_TEST_DATA is not set; it would hold'
  console.log(`geodag: skipped "${title}": ${why} ${missing.join(', ')}`)
  test.skip(title, () => {})
}
