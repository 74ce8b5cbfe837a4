import { expect, test } from 'vitest'
import { chaos } from '../chaos/chaos.ts'

test('a minute of faults: nothing is lost, doubled or left, and nothing fails that nobody broke', async () => {
  const report = await chaos({ minutes: 1, every: 2.5 })
  console.log(`geodag: chaos ${JSON.stringify({ ...report, violations: undefined })}`)
  expect(report.violations).toEqual([])
  expect(report.count).toBeGreaterThan(5)
})
